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
	// minSecret is the length, in bytes, from which a value is redacted. Shorter values
	// occur in many texts by chance.
	minSecret = 4
	// maxSecrets bounds what a Redactor remembers, however often a file is rotated.
	maxSecrets = 256
)

// Redactor replaces secrets in text: every value that was added, in the forms in which
// errors hold values (raw, quoted, URL-escaped, base64), and the user and password of
// each URL.
//
// It keeps the newest 256 values, so that after a rotation the old value is redacted as
// well. Each line of a value is redacted like a value. Values shorter than 4 bytes are not
// redacted. A weak secret, such as the word postgres, is redacted wherever that word occurs.
//
// The zero value is ready to use. It is safe for concurrent use.
type Redactor struct {
	mu sync.Mutex // held while a value is added
	// An atomic pointer, because fmt does not print what it points to.
	known atomic.Pointer[known]
}

// known is immutable: Add replaces it.
type known []knownValue

type knownValue struct {
	value string
	forms []string // see forms
}

// Add adds a value to redact.
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

// userinfo matches a URL up to the last @ of its authority.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"<>]*@`)

// Redact returns the text with each secret replaced by [redacted].
func (r *Redactor) Redact(text string) string {
	if known := r.known.Load(); known != nil {
		text = replaceSpans(text, known.find(text))
	}
	return RedactURLs(text)
}

// RedactURLs returns the text with the user and the password of each URL replaced by
// [redacted].
func RedactURLs(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return userinfo.ReplaceAllString(text, "${1}"+Mask+"@")
}

// span is a part of a text, from its first byte to before end.
type span struct{ start, end int }

// find returns the spans of secrets, sorted. Overlapping spans are joined, so that no part
// of a secret is left.
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

// appendSpans appends the spans of form in the text, also overlapping ones.
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

// forms returns the encodings in which a secret may occur in errors and requests, each once.
// Those of each of its lines are included, because drivers cut errors at a line break or
// replace it.
func forms(secret string) []string {
	all := encodings(secret)
	lines := strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines {
		if line != secret && len(line) >= minSecret {
			all = append(all, encodings(line)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func encodings(secret string) []string {
	all := []string{secret}
	if trimmed := strings.TrimSpace(secret); len(trimmed) >= minSecret {
		all = append(all, trimmed)
	}
	all = append(all, quotedForms(secret)...)
	all = append(all, urlForms(secret)...)
	return append(all, base64Forms(secret)...)
}

// quotedForms returns the secret as Go, JSON, SQL and connection strings quote it, without
// the quotes around it.
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

// jsonText does not escape <, > and &, as most encoders. Go's escapes them by default.
func jsonText(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // encoding a string cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonEscapeHTML(text string) string {
	var b bytes.Buffer
	json.HTMLEscape(&b, []byte(text))
	return b.String()
}

var escapedByte = regexp.MustCompile(`%[0-9A-F]{2}`)

// urlForms returns the secret as the query, the path and the password of a URL hold it, with
// hexadecimal digits in upper and in lower case.
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

// base64Forms returns the secret in base64: alone, and within a longer text, such as
// user:password of Basic authentication. There it has three forms, since base64 encodes
// groups of 3 bytes.
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

// base64Fragment returns the characters that depend on the secret alone if offset bytes
// precede it. There are at least 4, even for the shortest secret.
func base64Fragment(encoding *base64.Encoding, secret string, offset int) string {
	padded := append(make([]byte, offset), secret...)
	text := encoding.WithPadding(base64.NoPadding).EncodeToString(padded)
	first := (offset*8 + 5) / 6
	last := len(padded) * 8 / 6
	return text[first:last]
}

// Handler returns a handler that redacts the message and every attribute, and passes the
// record to next. Keys are not redacted, since they are constants.
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

// WithAttrs redacts the attributes now, since next may format them at once. Secrets that are
// added later are not redacted in them.
func (h redactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactHandler{h.next.WithAttrs(h.redactor.attrs(attrs)), h.redactor}
}

// WithGroup passes the name to next.
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
		// A number, a time or a boolean holds no secret.
	}
	return slog.Attr{Key: a.Key, Value: value}
}

// any formats a value as a text handler would, and redacts it. Text that next would make of
// the value could not be redacted.
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
