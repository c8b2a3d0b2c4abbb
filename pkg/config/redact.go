package config

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// minSecret is the length, in bytes, from which a value is redacted. Shorter
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
// redacted as well. Values shorter than 4 bytes are not redacted. A weak secret,
// such as the word postgres, is redacted wherever that word occurs.
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

// Redact returns the text with [redacted] in the place of each secret.
func (r *Redactor) Redact(text string) string {
	if known := r.known.Load(); known != nil {
		text = replaceSpans(text, known.find(text))
	}
	return RedactURLs(text)
}

// RedactURLs returns the text with [redacted] in the place of the user and the password
// of each URL.
func RedactURLs(text string) string {
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

// forms returns the ways in which a secret is written into errors and requests,
// each once.
func forms(secret string) []string {
	all := []string{secret}
	if trimmed := strings.TrimSpace(secret); len(trimmed) >= minSecret {
		all = append(all, trimmed)
	}
	all = append(all, quotedForms(secret)...)
	all = append(all, urlForms(secret)...)
	all = append(all, base64Forms(secret)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// quotedForms are those of Go, JSON, SQL and connection strings, without the
// quotes around them.
func quotedForms(secret string) []string {
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	plain := jsonText(secret)
	return []string{
		inner(strconv.Quote(secret)),
		inner(strconv.QuoteToASCII(secret)),
		inner(plain),
		inner(jsonEscapeHTML(plain)),
		strings.ReplaceAll(secret, "'", "''"),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret),
	}
}

// jsonText writes <, > and & as they are, as most encoders but Go's default do.
func jsonText(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonEscapeHTML(text string) string {
	var b bytes.Buffer
	json.HTMLEscape(&b, []byte(text))
	return b.String()
}

var escapedByte = regexp.MustCompile(`%[0-9A-F]{2}`)

// urlForms are those of a query, a path and a password, in both cases of the
// hexadecimal digits.
func urlForms(secret string) []string {
	query := url.QueryEscape(secret)
	upper := []string{
		query,
		strings.ReplaceAll(query, "+", "%20"),
		url.PathEscape(secret),
		strings.TrimPrefix(url.UserPassword("", secret).String(), ":"),
	}
	all := upper
	for _, form := range upper {
		all = append(all, escapedByte.ReplaceAllStringFunc(form, strings.ToLower))
	}
	return all
}

// base64Forms are those of the secret alone, and what its bytes look like within a
// longer text, such as user:password of Basic authentication: there it may begin
// at any of three places within a group of 3 bytes.
func base64Forms(secret string) []string {
	all := make([]string, 0, 8)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, encoding.WithPadding(base64.NoPadding).EncodeToString([]byte(secret)))
		for offset := range 3 {
			all = append(all, base64Fragment(encoding, secret, offset))
		}
	}
	return all
}

// base64Fragment returns the characters that depend on the secret alone when
// offset bytes stand before it. There are at least 4, for the shortest secret.
func base64Fragment(encoding *base64.Encoding, secret string, offset int) string {
	padded := append(make([]byte, offset), secret...)
	text := encoding.WithPadding(base64.NoPadding).EncodeToString(padded)
	first := (offset*8 + 5) / 6
	last := len(padded) * 8 / 6
	return text[first:last]
}

// Handler returns a handler that redacts the message and every attribute before it
// passes a record on to next. Keys are left alone: they are constants.
func (r *Redactor) Handler(next slog.Handler) slog.Handler {
	return redactHandler{next, r}
}

type redactHandler struct {
	next     slog.Handler
	redactor *Redactor
}

// Enabled asks next.
func (h redactHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes on a redacted copy of the record.
func (h redactHandler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Redact(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs redacts what next may format at once, by what is known by now.
func (h redactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactHandler{h.next.WithAttrs(h.redactor.attrs(attrs)), h.redactor}
}

// WithGroup asks next.
func (h redactHandler) WithGroup(name string) slog.Handler {
	return redactHandler{h.next.WithGroup(name), h.redactor}
}

func (r *Redactor) attrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(a)
	}
	return clean
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		value = slog.StringValue(r.Redact(value.String()))
	case slog.KindGroup:
		value = slog.GroupValue(r.attrs(value.Group())...)
	case slog.KindAny:
		value = r.any(value.Any())
	default:
		// A number, a time or a switch holds no secret.
	}
	return slog.Attr{Key: a.Key, Value: value}
}

// any turns a value into text, the way a text handler would, since what a handler
// makes of it otherwise cannot be redacted.
func (r *Redactor) any(value any) slog.Value {
	switch v := value.(type) {
	case nil:
		return slog.AnyValue(nil)
	case []string:
		clean := make([]string, len(v))
		for i, s := range v {
			clean[i] = r.Redact(s)
		}
		return slog.AnyValue(clean)
	case error, fmt.Stringer:
		// Sprint survives a nil pointer with such a method.
		return slog.StringValue(r.Redact(fmt.Sprint(v)))
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return slog.StringValue(r.Redact(string(v.Bytes())))
	}
	return slog.StringValue(r.Redact(fmt.Sprintf("%+v", value)))
}
