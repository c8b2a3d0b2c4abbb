package check_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/check"
)

// answers gives every path the same answer.
type answers struct{ reply }

// RoundTrip implements [http.RoundTripper].
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(a.body)),
		Header: http.Header{"Content-Type": {a.kind}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// Whatever answers, every report ends, can be written as JSON, has no character that could
// steer a terminal, and never has the token.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", strings.ReplaceAll(healthy, "NOW", "2026-01-31T12:00:00Z"))
	f.Add(503, "application/json", strings.ReplaceAll(past, "NOW", "2026-01-31T12:00:00Z"))
	f.Add(200, "text/plain", "[+]database ok\n[-]redis failed: \x1b[2J\nhealth check passed\n")
	f.Add(200, "application/json", `{"success":true,"status":"\u001b[2J\u202e","services":{"a":"\u001b","a":null},"details":{"a":[]}}`)
	f.Add(200, "application/json", `{"workloads":[{"name":"\u0007","services":[{}]},null]}`)
	f.Add(200, "text/plain; version=0.0.4", "# HELP reims_health_up x\nreims_health_up{service=\"\x01\"} 1\n")
	f.Add(404, "\x00", strings.ReplaceAll(notFound, "/", "\u2028/"))
	f.Fuzz(func(t *testing.T, code int, kind, body string) {
		client := check.NewClient(check.Options{
			URL: &url.URL{Scheme: "http", Host: "h"}, Timeout: time.Minute, Token: "the-t0ken-of-the-user",
			Transport: answers{reply{code, kind, body}},
		})
		ctx := context.Background()
		report, err := client.All(ctx, check.Suite{MaxAge: time.Minute, Metrics: client})
		said(t, report, err)
		overview, err := client.Overview(ctx, time.Minute)
		said(t, overview, err)
		details, err := client.Detailed(ctx, check.Measure{Count: 1, MaxAge: time.Minute})
		said(t, details, err)
		fleet, err := client.Fleet(ctx, time.Minute)
		said(t, fleet, err)
		said(t, client.Look(ctx, time.Minute), nil)
	})
}

// said searches a report, or the error in its place.
func said(t *testing.T, report any, err error) {
	t.Helper()
	var text string
	if err != nil {
		text = err.Error()
	} else {
		encoded, err := json.Marshal(report)
		if err != nil {
			t.Fatalf("%T: %v", report, err)
		}
		var value any
		if err := json.Unmarshal(encoded, &value); err != nil {
			t.Fatal(err)
		}
		text = strings.Join(texts(value), " ")
	}
	if clean := strings.ReplaceAll(text, "\n", " "); check.Printable(clean) != clean || strings.Contains(text, "the-t0ken") {
		t.Errorf("%T says %q", report, text)
	}
}

// texts returns every key and every string of a JSON value.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	case map[string]any:
		for key, item := range v {
			all = append(append(all, key), texts(item)...)
		}
	}
	return all
}

// Whatever an address is, what is accepted is HTTP, and an error does not show a password.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"h:1", "http://u:Z@h", "https://u:Z@h:x", "http://u:Z@%zz", "//Z", "u:Z@h", "http://[::1]:1/x?y=Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const canary = "c4n4ry-password"
		u, err := check.ParseURL(strings.ReplaceAll(text, ":Z@", ":"+canary+"@"))
		switch {
		case err != nil && strings.Contains(err.Error(), canary):
			t.Errorf("%q: %v", text, err)
		case err == nil && u.Scheme != "http" && u.Scheme != "https":
			t.Errorf("%q is %v", text, u)
		}
	})
}
