package grpc_test

import (
	"encoding/binary"
	"strings"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	grpckind "github.com/reims/reims-health/pkg/dependency/grpc"
)

// frame makes a gRPC message.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func TestGRPCRequest(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"", "a", "my.package.Service", strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat("é", 20000)} {
		message, err := proto.Marshal(&healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(grpckind.Request(service)), string(frame(message)); got != want {
			t.Errorf("request for %d bytes: %q, want %q", len(service), got, want)
		}
	}
}

// FuzzResponse holds the reader of answers against that of Protocol Buffers.
func FuzzResponse(f *testing.F) {
	for status := range healthpb.HealthCheckResponse_ServingStatus_name {
		message, err := proto.Marshal(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(status)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame(message))
	}
	f.Add(frame([]byte("\x08\x02\x08\x01")))                                 // the last one counts
	f.Add(frame([]byte("\x12\x03abc\x08\x01\x19abcdefgh\x25abcd\x30\x07")))  // fields to come
	f.Add(frame([]byte("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")))     // -1
	f.Add(frame([]byte("\x0a\x01\x01")))                                     // field 1 of another type
	f.Add(frame([]byte("\x0b\x08\x01\x0c")))                                 // a group
	f.Add(frame([]byte("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc")))  // longer than there is
	f.Add(frame([]byte("\x00\x01")))                                         // field 0
	f.Add(frame([]byte("\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"))) // a varint too long
	f.Add([]byte("\x01\x00\x00\x00\x02\x08\x01"))                            // compressed
	f.Add([]byte("\x00\x00\x00\x00\x03\x08\x01"))                            // cut
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, framed []byte) {
		status, err := grpckind.Response(framed)
		wellFramed := len(framed) >= 5 && string(frame(framed[5:])) == string(framed)
		var want healthpb.HealthCheckResponse
		valid := wellFramed && proto.Unmarshal(framed[5:], &want) == nil
		switch {
		case err == nil && !valid:
			t.Fatalf("%q is taken for status %d, and is not valid", framed, status)
		case err == nil && status != int32(want.GetStatus()):
			t.Fatalf("%q is taken for status %d, and is %d", framed, status, want.GetStatus())
		case err != nil && valid && !hasGroup(framed[5:]):
			t.Fatalf("%q is refused (%v), and is status %d", framed, err, want.GetStatus())
		}
	})
}

// hasGroup reports whether a valid message has a group, which has not been in use since
// proto3 and is refused.
func hasGroup(message []byte) bool {
	for len(message) > 0 {
		_, _, n := protowire.ConsumeField(message)
		if _, kind, _ := protowire.ConsumeTag(message); kind == protowire.StartGroupType {
			return true
		}
		message = message[n:]
	}
	return false
}
