package config

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// maxSecretSize bounds the file of a secret, in bytes.
const maxSecretSize = 64 << 10

// Mask is shown in the place of a secret.
const Mask = "[redacted]"

// Secret is a value that is never shown, given itself or by the name of the file
// that holds it. The zero value is empty. However it is printed, logged or
// marshalled, it says only that it is redacted.
type Secret struct {
	// Within a function, because fmt shows the unexported fields of a struct that
	// holds a Secret in one of its own, through pointers too, and asks no method.
	state func() secret
}

type secret struct {
	variable string
	value    string
	file     string
	redactor *Redactor
	hinter   *hinter
	trimmed  bool // white space around the value does not count
}

func newSecret(s secret) Secret {
	return Secret{func() secret { return s }}
}

func (s Secret) get() secret {
	if s.state == nil {
		return secret{}
	}
	return s.state()
}

// Read returns the value. A file is read anew each time, so that a rotated one
// counts from its next use; one newline at its end (LF or CRLF) is left out. Every
// value returned is known to the [Redactor] of the Config from then on.
//
// The error names the variable and the file: a file that is missing, unreadable,
// not a regular one, or larger than 64 KiB.
func (s Secret) Read() (string, error) {
	held := s.get()
	value := held.value
	if held.file != "" {
		var err error
		if value, err = readSecret(held.file); err != nil {
			return "", fmt.Errorf("read %s_FILE: %w", held.variable, err)
		}
		held.hinter.judge(held, value)
	}
	held.redactor.Add(value)
	return value, nil
}

// Reader returns Read as clients want it that ask for a password before each dial.
func (s Secret) Reader() func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s.Read() }
}

// File returns the name of the file, or "" for a value that was given itself.
func (s Secret) File() string { return s.get().file }

// Given reports whether there is a value or the name of a file. The file may be
// missing or empty all the same.
func (s Secret) Given() bool { return s.get().value+s.get().file != "" }

// Holding returns a secret of the same variable with another value, which the
// [Redactor] knows at once.
func (s Secret) Holding(value string) Secret {
	held := s.get()
	held.value, held.file = value, ""
	held.redactor.Add(value)
	return newSecret(held)
}

// DefaultSecret returns a secret whose value is no secret, since it is a default.
func DefaultSecret(value string) Secret { return newSecret(secret{value: value}) }

// EnvDecode takes the value.
func (s *Secret) EnvDecode(text string) error {
	*s = newSecret(secret{value: text})
	return nil
}

func readSecret(name string) (string, error) {
	// Opening a pipe would wait for its writer.
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", name)
	}
	content, err := readFile(name, maxSecretSize)
	if err != nil {
		return "", err
	}
	value, found := strings.CutSuffix(content, "\n")
	if found {
		value = strings.TrimSuffix(value, "\r")
	}
	return value, nil
}

// String returns [redacted].
func (Secret) String() string { return Mask }

// GoString returns [redacted].
func (Secret) GoString() string { return Mask }

// Format writes [redacted], whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns [redacted]; encoding/json uses it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }
