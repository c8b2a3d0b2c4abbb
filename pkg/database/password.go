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

// offerPassword gives each login the password in the form that its method takes:
// prepared for SCRAM, and as it is for md5 and clear text. The server names the
// method in its first message, so what it says is read on the way to pgx.
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

// scramPassword returns what pgx must be given for SCRAM, so that it derives the
// same key as PostgreSQL and libpq do.
//
// They prepare a password with SASLprep (RFC 4013), and take the raw bytes where
// that fails. pgx prepares it with OpaqueString of RFC 8265, which differs for ligatures,
// superscripts, full-width letters, soft hyphens and others, and takes the raw
// bytes where that fails, as it does for a control character. HMAC, whose key the
// password is, pads a key with zeros to 64 bytes and replaces a longer one by its
// hash: a zero byte at the end changes nothing but makes pgx take the raw bytes.
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
	return key // of exactly 64 bytes, which OpaqueString leaves as they are if SASLprep made them
}

// saslprep prepares a password as pg_saslprep of PostgreSQL does: it checks the
// characters before they are normalized, where RFC 3454 does so afterwards, and
// the raw password counts where preparation fails.
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

// prohibited holds what no prepared password contains; among it what Unicode 3.2
// did not assign.
var prohibited = []stringprep.Set{
	stringprep.TableA1, stringprep.TableC2_1, stringprep.TableC2_2, stringprep.TableC3, stringprep.TableC4,
	stringprep.TableC6, stringprep.TableC7, stringprep.TableC8, stringprep.TableC9,
}

// mapRune makes spaces of the other spaces, and drops what RFC 3454 maps to
// nothing; stringprep lacks the first of those.
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

// passesBidi reports whether a text with a character that is written from right to
// left begins and ends with one, and has none that is written from left to right.
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

// loginReader calls sasl before the reader sees that the server asks for a login by
// SASL.
type loginReader struct {
	io.Reader
	sasl func()

	message []byte // the beginning of the present one
	skip    int    // bytes of a message that is not about the login
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

// take reads a byte: of a message's type, its length, and the method of the login.
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
