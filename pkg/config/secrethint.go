package config

import (
	"bytes"
	"encoding/base64"
	"hash/maphash"
	"strings"
	"sync"
)

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
	case isEncodedText(bare):
		return "looks like base64 of a text: only data of a Kubernetes Secret is encoded, stringData and files are not"
	default:
		return ""
	}
}

// isUTF16 reports whether the text has UTF-16's byte order mark, or is at least two
// ASCII characters in UTF-16 without one.
func isUTF16(s string) bool {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		return true
	}
	// The second byte of a line break at the end was taken for a character.
	nul := strings.Count(s, "\x00")
	return nul >= 2 && nul >= len(s)/2 && !strings.Contains(s, "\x00\x00")
}

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
