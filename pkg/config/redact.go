package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// minSecret is the length, in bytes, from which a value is scrubbed. Shorter
	// ones occur in any text by chance.
	minSecret = 4
	// maxSecrets bounds what a Redactor remembers, however often a file is rotated.
	maxSecrets = 256
)

// Redactor takes secrets out of text: every value that it was told, in the forms
// in which errors carry values (raw, quoted, URL-escaped, base64), and the user
// and password of any URL.
//
// It remembers the newest 256 values, so that after a rotation the old one is
// scrubbed as well. Values shorter than 4 bytes are not scrubbed. A weak secret,
// such as the word postgres, is scrubbed wherever that word occurs.
//
// The zero value is ready, and it is safe for concurrent use.
type Redactor struct {
	mu sync.Mutex // held by those who add
	// Behind an atomic pointer, which fmt does not follow either.
	known atomic.Pointer[known]
}

// known is never changed, only replaced.
type known []knownValue

type knownValue struct {
	value string
	forms []string // how it may be written
}

// Add makes the value known.
func (r *Redactor) Add(value string) {
	if len(value) < minSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var next known
	if old := r.known.Load(); old != nil {
		if slices.ContainsFunc(*old, func(k knownValue) bool { return k.value == value }) {
			return
		}
		next = slices.Clone((*old)[max(0, len(*old)-maxSecrets+1):])
	}
	next = append(next, knownValue{value, forms(value)})
	r.known.Store(&next)
}

// userinfo is what stands before the last @ of a URL's authority.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"<>]*@`)

// Scrub returns the text with [redacted] in the place of each secret.
func (r *Redactor) Scrub(text string) string {
	if known := r.known.Load(); known != nil {
		text = replaceSpans(text, known.find(text))
	}
	return ScrubURLs(text)
}

// ScrubURLs returns the text with [redacted] in the place of the user and the password
// of each URL.
func ScrubURLs(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return userinfo.ReplaceAllString(text, "${1}"+Mask+"@")
}

// span is a part of a text, from its first byte to before end.
type span struct{ start, end int }

// find returns where secrets stand. Those that overlap are joined: of two that share
// letters, nothing is left over.
func (k known) find(text string) []span {
	var found []span
	for _, v := range k {
		for _, form := range v.forms {
			found = appendSpans(found, text, form)
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var joined []span
	for _, s := range found {
		if last := len(joined) - 1; last >= 0 && s.start <= joined[last].end {
			joined[last].end = max(joined[last].end, s.end)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// appendSpans appends where form stands, in overlapping places too.
func appendSpans(found []span, text, form string) []span {
	for from := 0; ; {
		i := strings.Index(text[from:], form)
		if i < 0 {
			return found
		}
		found = append(found, span{from + i, from + i + len(form)})
		from += i + 1
	}
}

func replaceSpans(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	from := 0
	for _, s := range spans {
		b.WriteString(text[from:s.start] + Mask)
		from = s.end
	}
	b.WriteString(text[from:])
	return b.String()
}
