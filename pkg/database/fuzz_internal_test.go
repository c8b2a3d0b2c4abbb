package database

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// Whatever a password holds, preparing it twice changes nothing more, and what PostgreSQL
// would take as it is goes as it is.
func FuzzPassword(f *testing.F) {
	for _, seed := range []string{"", "plain", "p\u00e4ss", "\ufb01", "a\u00adb", "\u0627\u0031", "\u0627\u0628", "\xff\xfe", "\u3000", "\x00\u00e4", "\u1806"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, password string) {
		prepared := saslprep(password)
		if (isASCII(password) || !utf8.ValidString(password)) && prepared != password {
			t.Errorf("%q became %q", password, prepared)
		}
		if utf8.ValidString(password) && !utf8.ValidString(prepared) {
			t.Errorf("%q became %q", password, prepared)
		}
		if key := scramPassword(password); !isASCII(password) && len(key) > 64 {
			t.Errorf("a key of %d bytes", len(key))
		}
	})
}

// Whatever a server sends before the login, the reader passes it on unchanged, and knows SASL
// at the same byte however the network cuts it. It keeps no more than the head of a message.
func FuzzLogin(f *testing.F) {
	message := func(kind byte, length uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, length), rest...)
	}
	f.Add(message('R', 8, 0, 0, 0, 10))
	f.Add(message('R', 8, 0, 0, 0, 5))
	f.Add(append(message('N', 6, 'x', 0), message('R', 8, 0, 0, 0, 10)...))
	f.Add(append(message('v', 0), message('R', 8, 0, 0, 0, 10)...))
	f.Add(message('E', 0xffffffff, 'x'))
	f.Add([]byte("R"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		read := func(r io.Reader) (told int) {
			l := &loginReader{Reader: r, sasl: func() { told++ }}
			got, err := io.ReadAll(l)
			if err != nil || !bytes.Equal(got, sent) || len(l.message) > 9 {
				t.Fatalf("%q became %q (%v), with %d bytes kept", sent, got, err, len(l.message))
			}
			return told
		}
		whole, cut := read(bytes.NewReader(sent)), read(iotest.OneByteReader(bytes.NewReader(sent)))
		if whole != cut || whole > 1 {
			t.Errorf("told %d times at once, and %d times by bytes", whole, cut)
		}
	})
}
