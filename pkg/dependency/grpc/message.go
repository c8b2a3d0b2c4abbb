package grpc

import (
	"encoding/binary"
	"errors"
	"math"
)

// request returns a HealthCheckRequest of grpc.health.v1 as a gRPC message: one byte that
// says that it is not compressed, four of its length, and the name of the service as field
// 1, unless it is empty.
func request(service string) []byte {
	var message []byte
	if service != "" {
		message = binary.AppendUvarint([]byte{1<<3 | wireBytes}, uint64(len(service)))
		message = append(message, service...)
	}
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))) //nolint:gosec // far from 4 GB
	return append(framed, message...)
}

// The wire types of Protocol Buffers, without groups.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var (
	errNoMessage  = errors.New("the answer is not one uncompressed gRPC message")
	errBadMessage = errors.New("the answer's message is no HealthCheckResponse")
)

// response reads the ServingStatus of a HealthCheckResponse: field 1, which is 0 where it is
// left out. Other fields are passed over.
func response(framed []byte) (status int32, err error) {
	const prefix = 5
	if len(framed) < prefix || framed[0] != 0 || int(binary.BigEndian.Uint32(framed[1:prefix])) != len(framed)-prefix {
		return 0, errNoMessage
	}
	rest := framed[prefix:]
	for len(rest) > 0 {
		tag, n := binary.Uvarint(rest)
		if number := tag >> 3; n <= 0 || number == 0 || number > math.MaxInt32>>2 {
			return 0, errBadMessage
		}
		rest = rest[n:]
		value, size := field(rest, tag&7)
		if size < 0 {
			return 0, errBadMessage
		}
		if tag == 1<<3|wireVarint {
			status = int32(value) //nolint:gosec // as Protocol Buffers cut an enum
		}
		rest = rest[size:]
	}
	return status, nil
}

// field returns the value of a varint, and how many bytes the value of a field of that wire
// type takes: below 0 where there are fewer.
func field(rest []byte, wire uint64) (value uint64, size int) {
	switch wire {
	case wireVarint:
		value, size = binary.Uvarint(rest)
		if size <= 0 {
			return 0, -1
		}
		return value, size
	case wireBytes:
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) { //nolint:gosec // a length
			return 0, -1
		}
		size = n + int(length) //nolint:gosec // bounded above
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	default:
		return 0, -1
	}
	if size > len(rest) {
		return 0, -1
	}
	return 0, size
}
