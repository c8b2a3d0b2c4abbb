package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

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

func TestHandlerScrubsEverything(t *testing.T) {
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
	if got := c.Redactor().Scrub("given-value ollama-pw the-token"); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("scrubbed to %q", got)
	}
	if def := config.Default(registry.Services()).Redactor().Scrub("given-value"); def != "given-value" {
		t.Errorf("two configurations share secrets: %q", def)
	}
}
