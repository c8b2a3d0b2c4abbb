package config

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/reims/reims-health/pkg/readfile"
)

// maxSecretSize bounds the file of a secret, in bytes.
const maxSecretSize = 64 << 10

// Mask is shown instead of a secret.
const Mask = "[redacted]"

// Secret is a value that is never shown: the value itself or the name of a file that holds
// it. The zero value is empty. Printing, logging and marshalling it gives [Mask].
type Secret struct {
	// The value is within a function, because fmt prints the unexported fields of nested
	// structs, also through pointers, without calling their methods.
	state func() secret
}

type secret struct {
	variable string
	value    string
	file     string
	redactor *Redactor
	hinter   *hinter
	trimmed  bool // white space around the value is removed by the user of the secret
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

// Read returns the value. A file is read each time, so that a rotated secret is used
// without a restart. One newline at the end of the file (LF or CRLF) is removed. Each
// value that Read returns is added to the [Redactor] of the Config.
//
// The error names the variable and the file. The file is missing, unreadable, not a regular
// file, or larger than 64 KiB.
func (s Secret) Read() (string, error) {
	held := s.get()
	value := held.value
	if held.file != "" {
		var err error
		if value, err = readSecret(held.file); err != nil {
			return "", fmt.Errorf("read %s_FILE: %w", held.variable, err)
		}
		held.hinter.examine(held, value)
	}
	held.redactor.Add(value)
	return value, nil
}

// Reader returns Read in the form for clients that read the password before each connection.
func (s Secret) Reader() func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s.Read() }
}

// File returns the name of the file, or "" for a value that was given itself.
func (s Secret) File() string { return s.get().file }

// Given reports whether a value or a file was given. The file may be missing or empty.
func (s Secret) Given() bool { return s.get().value+s.get().file != "" }

// Holding returns a secret of the same variable with another value, and adds the value to
// the [Redactor].
func (s Secret) Holding(value string) Secret {
	held := s.get()
	held.value, held.file = value, ""
	held.redactor.Add(value)
	return newSecret(held)
}

// DefaultSecret returns a secret with a default value, which is not secret.
func DefaultSecret(value string) Secret { return newSecret(secret{value: value}) }

// EnvDecode sets the value.
func (s *Secret) EnvDecode(text string) error {
	*s = newSecret(secret{value: text})
	return nil
}

func readSecret(name string) (string, error) {
	content, err := readfile.Regular(name, maxSecretSize)
	if err != nil {
		return "", err
	}
	value, found := strings.CutSuffix(string(content), "\n")
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

// OnSecretHint sets a function that [Secret.Read] calls if the file of a secret is readable
// but suspicious, such as empty, in UTF-16, with a byte order mark, or in quotes. It is
// called once after each change of the content, possibly by several goroutines at once. The
// problem names the file and does not quote the content. By default nothing is called.
func (c *Config) OnSecretHint(report func(Problem)) {
	c.hinter.mu.Lock()
	defer c.hinter.mu.Unlock()
	c.hinter.report = report
}

// hinter remembers the hash of the content of each file that it has examined.
type hinter struct {
	mu     sync.Mutex
	report func(Problem)
	seed   maphash.Seed
	hashes map[string]uint64 // of the content, by variable
}

func newHinter() *hinter {
	return &hinter{seed: maphash.MakeSeed(), hashes: make(map[string]uint64)}
}

// examine reports a suspicious value of a file, unless the value was the same at the last
// reading.
func (h *hinter) examine(s secret, value string) {
	if h == nil {
		return
	}
	report, changed := h.note(s.variable, value)
	if report == nil || !changed {
		return
	}
	if hint := secretHint(value, s.trimmed); hint != "" {
		report(Problem{s.variable + "_FILE", s.file + " " + hint})
	}
}

func (h *hinter) note(variable, value string) (report func(Problem), changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.report == nil {
		return nil, false
	}
	hash := maphash.String(h.seed, value)
	last, known := h.hashes[variable]
	h.hashes[variable] = hash
	return h.report, !known || hash != last
}

const byteOrderMark = "\ufeff"

// secretHint says what is most likely wrong with a value, or returns "". White space around
// a value is accepted if it is trimmed.
func secretHint(value string, trimmed bool) string {
	bare := strings.TrimSpace(value)
	switch {
	case value == "":
		return "is empty"
	case bare == "":
		return "holds nothing but white space"
	case isUTF16(value):
		return "is in UTF-16, as some editors and PowerShell write it: save it in UTF-8 without a byte order mark"
	case strings.HasPrefix(value, byteOrderMark):
		return "begins with a byte order mark, which counts as part of the value: save it in UTF-8 without one"
	case strings.Contains(value, "\x00"):
		return "holds a NUL byte, which no service takes in a password"
	case bare != value && !trimmed:
		return "begins or ends with white space, which counts as part of it (a Secret made with echo ends with a line break)"
	case isQuoted(bare):
		return "is in quotes, which count as part of the value: remove them"
	case assignment.MatchString(bare):
		return "looks like NAME=value, as in a .env file: the value alone belongs here"
	case strings.HasPrefix(bare, "{") && json.Valid([]byte(bare)):
		return "is a JSON document, as some stores of secrets hold: the value alone belongs here"
	case isEncodedText(bare):
		return "looks like base64 of a text: only data of a Kubernetes Secret is encoded, stringData and files are not"
	default:
		return ""
	}
}

// isUTF16 reports whether the text has UTF-16's byte order mark, or is at least two
// ASCII characters in UTF-16 without one.
func isUTF16(s string) bool {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") || strings.HasPrefix(s, "\x00\x00\xfe\xff") {
		return true
	}
	// Without the newline byte that readSecret removed, the length may be odd.
	nul := strings.Count(s, "\x00")
	return nul >= 2 && nul >= len(s)/2 && !strings.Contains(s, "\x00\x00")
}

// assignment matches a line of a .env file or a shell script that sets a variable with the
// name of a secret.
var assignment = regexp.MustCompile(`^(?:export\s+)?[A-Z][A-Z0-9_]*(?:PASSWORD|SECRET|TOKEN|KEY|URL)(?:_FILE)?\s*=`)

func isQuoted(s string) bool {
	return len(s) > 2 && (s[0] == '"' || s[0] == '\'') && s[0] == s[len(s)-1]
}

// isEncodedText reports whether s is base64 of nine or more printable ASCII characters.
// Random base64 is not, as it almost always decodes to other bytes too.
func isEncodedText(s string) bool {
	const shortest = 12
	if len(s) < shortest {
		return false
	}
	text, err := base64.StdEncoding.DecodeString(s)
	text = bytes.TrimSuffix(text, []byte("\n"))
	return err == nil && !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
