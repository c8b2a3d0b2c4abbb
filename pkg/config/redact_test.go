package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func redactor(secrets ...string) *config.Redactor {
	r := new(config.Redactor)
	for _, s := range secrets {
		r.Add(s)
	}
	return r
}

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		secrets    []string
		text, want string
	}{
		{nil, "nothing known", "nothing known"},
		{[]string{"hunter22"}, "password hunter22 refused", "password [redacted] refused"},
		{[]string{"hunter22"}, "hunter22hunter22 hunter2", "[redacted] hunter2"},
		{[]string{"abcd", "abcdef"}, "abcdef abcd", "[redacted] [redacted]"},
		{[]string{"abcd", "cdef"}, "abcdef", "[redacted]"}, // no letter of either is left
		{[]string{"aaaa"}, "aaaaaa", "[redacted]"},
		{[]string{"abc"}, "abc is too short", "abc is too short"},
		{[]string{"first line\nsecond\r\nend"}, "it is first line; second: end, \"first line\\nsecond\"", "it is [redacted]; [redacted]: end, \"[redacted]\\n[redacted]\""},
		{[]string{"with newline\n"}, "(with newline)", "([redacted])"},
		{nil, "dial http://user:pw@host:1/x: refused", "dial http://[redacted]@host:1/x: refused"},
		{nil, "postgres://u:p@ss:w@host", "postgres://[redacted]@host"},
		{nil, `parse "redis://u:p'w@host": bad`, `parse "redis://[redacted]@host": bad`},
		{nil, "http://host/path?mail=a@b and c@d", "http://host/path?mail=a@b and c@d"},
	}
	for _, tt := range tests {
		if got := redactor(tt.secrets...).Redact(tt.text); got != tt.want {
			t.Errorf("%q redacts %q to %q, want %q", tt.secrets, tt.text, got, tt.want)
		}
	}
}

// written returns a secret in the forms in which errors and requests carry it.
func written(secret string) map[string]string {
	text, _ := json.Marshal(secret)
	request := &http.Request{Header: make(http.Header)}
	request.SetBasicAuth("some-user", secret)
	all := map[string]string{
		"raw":       secret,
		"%q":        fmt.Sprintf("%q", secret),
		"ascii":     strconv.QuoteToASCII(secret),
		"json":      string(text),
		"query":     url.QueryEscape(secret),
		"path":      url.PathEscape(secret),
		"userinfo":  "x " + url.UserPassword("u", secret).String(),
		"lower":     strings.ToLower(url.QueryEscape(strings.ToLower(secret))),
		"base64":    base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"basic":     request.Header.Get("Authorization"),
	}
	for offset := range 3 {
		all["within "+strconv.Itoa(offset)] = base64.StdEncoding.EncodeToString([]byte("abc"[:offset] + secret + "xyz"))
	}
	return all
}

func TestRedactForms(t *testing.T) {
	t.Parallel()
	secret := "p<ä&ß>\"'/\\ w%+7f\x013a?\u2028"
	r := redactor(secret, strings.ToLower(secret))
	for name, text := range written(secret) {
		if got := r.Redact(text); !strings.Contains(got, "[redacted]") || leaks(got, secret) {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
}

// leaks reports whether the text still holds five characters of the secret's own.
func leaks(text, secret string) bool {
	for i := 0; i+5 <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+5]) {
			return true
		}
	}
	return false
}

func TestRedactorForgetsOnlyTheOldest(t *testing.T) {
	t.Parallel()
	r := new(config.Redactor)
	for i := range 257 {
		r.Add(fmt.Sprintf("password-%03d", i))
	}
	if got := r.Redact("password-001 password-256"); got != "[redacted] [redacted]" {
		t.Errorf("of the newest 256: %q", got)
	}
	if got := r.Redact("password-000"); got != "password-000" {
		t.Errorf("the oldest of 257: %q, so memory has no bound", got)
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := new(config.Redactor)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			secret := fmt.Sprintf("password-%d", i)
			r.Add(secret)
			if got := r.Redact(secret); got != "[redacted]" {
				t.Errorf("just added, and redacted to %q", got)
			}
		})
	}
	group.Wait()
}

func FuzzRedactor(f *testing.F) {
	f.Add("p<&>\"'/\\ w%+7f3a?", "before ", " after")
	f.Add("aaaa", "a", "aaa")
	f.Add("\xff\xfe\x00\x01", "%", "\n")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		r := redactor(secret)
		// A secret that shares letters with the mask cannot be told from it.
		if len(secret) < 4 || strings.ContainsAny(secret, "[redacted]") {
			return
		}
		for name, text := range written(secret) {
			if name == "lower" {
				continue // of the secret in lower case, which is another one
			}
			if got := r.Redact(before + text + after); strings.Contains(got, secret) || strings.Contains(got, text) {
				t.Errorf("%s: %q became %q", name, before+text+after, got)
			}
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r := redactor("password-of-postgres", "password-of-redis", "minioadmin", "secret-key-of-minio", "token")
	text := "ping redis: dial tcp 10.0.0.7:6379: connect: connection refused"
	for b.Loop() {
		r.Redact(text)
	}
}

func TestHandlerKeepsTheRulesOfSlog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	handler := redactor("hunter22").Handler(slog.NewJSONHandler(&out, nil))
	err := slogtest.TestHandler(handler, func() []map[string]any {
		var records []map[string]any
		for line := range strings.Lines(out.String()) {
			record := make(map[string]any)
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatal(err)
			}
			records = append(records, record)
		}
		return records
	})
	if err != nil {
		t.Error(err)
	}
}

type valuer struct{ secret string }

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", v.secret)) }

// attrs are a secret in every kind of attribute.
func attrs(secret string) []any {
	cause := errors.New("refused " + secret)
	return []any{
		"string", secret,
		"error", fmt.Errorf("ping: %w", cause),
		"stringer", &url.URL{Scheme: "http", Host: "h", User: url.UserPassword("u", secret)},
		"bytes", []byte(secret),
		"raw", json.RawMessage(`"` + secret + `"`),
		"list",
		[]string{"a", secret},
		"errors",
		[]error{cause},
		"map",
		map[string]any{"k": secret},
		"struct",
		struct{ S string }{secret},
		"pointer", &struct{ S string }{secret},
		"valuer",
		valuer{secret},
		"nil", nil,
		"nil_url", (*url.URL)(nil),
		slog.Group("group", "inner", secret, slog.Group("deep", "inner", cause)),
	}
}

func TestHandlerRedactsEverything(t *testing.T) {
	t.Parallel()
	const secret = "hunter22-7f3a"
	handlers := map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	}
	for name, handler := range handlers {
		var out bytes.Buffer
		log := slog.New(redactor(secret).Handler(handler(&out)))
		log.Info("message "+secret, attrs(secret)...)
		log.With(attrs(secret)...).WithGroup("outer").With("string", secret).Warn("m", attrs(secret)...)
		if leaks(out.String(), secret) {
			t.Errorf("%s: %s", name, &out)
		}
		if !strings.Contains(out.String(), "[redacted]") {
			t.Errorf("%s: nothing was redacted in %s", name, &out)
		}
	}
}

// What holds no secret keeps its type.
func TestHandlerKeepsValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(redactor("hunter22").Handler(slog.NewJSONHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})))
	log.Info("m", "n", 5432, "on", true, "d", time.Second, "list", []string{"a"}, "err", io.EOF, "g", slog.GroupValue(slog.Float64("f", 1.5)))
	want := `{"msg":"m","n":5432,"on":true,"d":1000000000,"list":["a"],"err":"EOF","g":{"f":1.5}}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug is on, although the handler below has it off")
	}
}

// Secrets of a configuration are known without anybody's doing.
func TestLoadFillsTheRedactor(t *testing.T) {
	t.Parallel()
	c, _ := load(t, "DATABASE_PASSWORD=given-value", "OLLAMA_HOST=http://u:ollama-pw@h", "HEALTH_TOKEN=the-token")
	if got := c.Redactor().Redact("given-value ollama-pw the-token"); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("redacted to %q", got)
	}
	if def := config.Default(registry.Kinds().Services()).Redactor().Redact("given-value"); def != "given-value" {
		t.Errorf("two configurations share secrets: %q", def)
	}
}
