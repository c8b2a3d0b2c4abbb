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

// OnSecretHint has report called when [Secret.Read] finds the file of a secret
// readable but suspicious: empty, in UTF-16, with a byte order mark, in quotes and
// the like. It is called once for each content that a file has in turn, by whoever
// reads, and possibly by several at once. The hint names the file and quotes
// nothing of the content. By default nothing is reported.
func (c *Config) OnSecretHint(report func(Problem)) {
	c.hinter.mu.Lock()
	defer c.hinter.mu.Unlock()
	c.hinter.report = report
}

// hinter remembers which content of each file it has judged.
type hinter struct {
	mu     sync.Mutex
	report func(Problem)
	seed   maphash.Seed
	judged map[string]uint64 // by variable; the hash of the content
}

func newHinter() *hinter {
	return &hinter{seed: maphash.MakeSeed(), judged: make(map[string]uint64)}
}

// judge reports what is suspicious about a file's value, unless it was the value at
// the last reading too.
func (h *hinter) judge(s secret, value string) {
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
	last, known := h.judged[variable]
	h.judged[variable] = hash
	return h.report, !known || hash != last
}

const byteOrderMark = "\ufeff"

// secretHint says what is most likely wrong with a value, or nothing. White space
// around a value is no fault where it is trimmed.
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
	// The second byte of a line break at the end was taken for a character.
	nul := strings.Count(s, "\x00")
	return nul >= 2 && nul >= len(s)/2 && !strings.Contains(s, "\x00\x00")
}

// assignment is a line of a .env file, or of a shell script, that sets a variable whose name
// tells that its value is a secret.
var assignment = regexp.MustCompile(`^(?:export\s+)?[A-Z][A-Z0-9_]*(?:PASSWORD|SECRET|TOKEN|KEY|URL)(?:_FILE)?\s*=`)

func isQuoted(s string) bool {
	return len(s) > 2 && (s[0] == '"' || s[0] == '\'') && s[0] == s[len(s)-1]
}

// isEncodedText reports whether s is base64 of nine or more printable ASCII
// characters. Those that a generator of random base64 makes are not.
func isEncodedText(s string) bool {
	const shortest = 12
	if len(s) < shortest {
		return false
	}
	text, err := base64.StdEncoding.DecodeString(s)
	text = bytes.TrimSuffix(text, []byte("\n"))
	return err == nil && !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
