package database

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/stringprep"
	"golang.org/x/text/unicode/norm"
)

// offerPassword sets the password in the form that the login method needs: prepared for
// SCRAM, and unchanged for md5 and clear text. The server's first message names the
// method, so the messages are read before pgx reads them.
func offerPassword(c *pgconn.Config, password string, build pgconn.BuildFrontendFunc) {
	c.Password = password
	scram := scramPassword(password)
	if scram == password {
		return
	}
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return build(&loginReader{Reader: r, sasl: func() { c.Password = scram }}, w)
	}
}

// scramPassword returns the password for pgx, with which pgx derives the same SCRAM key as
// PostgreSQL and libpq.
//
// These prepare a password with SASLprep (RFC 4013), and use the raw bytes if that fails.
// pgx uses OpaqueString of RFC 8265 instead, which differs for ligatures, superscripts,
// full-width letters, soft hyphens and others. If that fails, as for a control character,
// pgx uses the raw bytes too. The password is the key of an HMAC, which pads a key with
// zeros to 64 bytes and replaces a longer one by its hash. So a zero byte at the end does
// not change the HMAC, but makes pgx use the raw bytes.
func scramPassword(password string) string {
	if isASCII(password) {
		return password
	}
	key := saslprep(password)
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	if len(key) < sha256.BlockSize {
		key += "\x00"
	}
	return key // OpaqueString does not change 64 bytes that SASLprep has made
}

// saslprep prepares a password as pg_saslprep of PostgreSQL does. Unlike RFC 3454 it checks
// the characters before they are normalized. If preparation fails, it returns the password
// unchanged.
func saslprep(password string) string {
	if isASCII(password) || !utf8.ValidString(password) {
		return password
	}
	mapped := []rune(strings.Map(mapRune, password))
	if len(mapped) == 0 {
		return password
	}
	for _, r := range mapped {
		for _, set := range prohibited {
			if set.Contains(r) {
				return password
			}
		}
	}
	if !passesBidi(mapped) {
		return password
	}
	return norm.NFKC.String(string(mapped))
}

// prohibited are the characters that a prepared password cannot have, including those that
// Unicode 3.2 did not assign.
var prohibited = []stringprep.Set{
	stringprep.TableA1, stringprep.TableC2_1, stringprep.TableC2_2, stringprep.TableC3, stringprep.TableC4,
	stringprep.TableC6, stringprep.TableC7, stringprep.TableC8, stringprep.TableC9,
}

// mapRune maps all spaces to the ASCII space, and removes characters that RFC 3454 maps to
// nothing. The table of stringprep lacks the first of these.
func mapRune(r rune) rune {
	const mongolianSoftHyphen = 0x1806
	switch _, nothing := stringprep.TableB1[r]; {
	case stringprep.TableC1_2.Contains(r):
		return ' '
	case nothing, r == mongolianSoftHyphen:
		return -1
	default:
		return r
	}
}

// passesBidi checks a text that has a right-to-left character: it must begin and end with
// one, and have no left-to-right character. Other texts pass.
func passesBidi(text []rune) bool {
	var left, right bool
	for _, r := range text {
		left = left || stringprep.TableD2.Contains(r)
		right = right || stringprep.TableD1.Contains(r)
	}
	return !right || !left &&
		stringprep.TableD1.Contains(text[0]) && stringprep.TableD1.Contains(text[len(text)-1])
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// loginReader calls sasl before its caller reads that the server requires a SASL login.
type loginReader struct {
	io.Reader
	sasl func()

	message []byte // the beginning of the present message
	skip    int    // remaining bytes of a message of another type
	done    bool
}

// Read implements [io.Reader].
func (r *loginReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	for _, c := range b[:n] {
		if r.done {
			break
		}
		r.take(c)
	}
	return n, err
}

// take parses one byte of a message: its type, its length, and the login method.
func (r *loginReader) take(c byte) {
	const (
		authentication = 'R'
		sasl           = 10
		header         = 5
	)
	if r.skip > 0 {
		r.skip--
		return
	}
	r.message = append(r.message, c)
	switch {
	case len(r.message) < header:
	case r.message[0] != authentication:
		r.skip = int(binary.BigEndian.Uint32(r.message[1:])) - 4
		r.message = r.message[:0]
	case len(r.message) == header+4:
		r.done = true
		if binary.BigEndian.Uint32(r.message[header:]) == sasl {
			r.sasl()
		}
	}
}
