package ollama

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

const canary = "c4n4ry-of-the-server"

// Whatever Ollama, or a proxy before it, answers, a list of models has a name for each, and
// the message of a fault has no word of the answer. Every Z becomes a canary.
func FuzzReply(f *testing.F) {
	f.Add(200, []byte(`{"models":[{"name":"llama3:latest","expires_at":"2026-01-02T03:04:05+02:00","context_length":4096}]}`), "application/json", "")
	f.Add(200, []byte(`{"models":null}`), "", "")
	f.Add(200, []byte(`{"models":[{"name":"Z"},{"name":""}]}`), "Z", "")
	f.Add(500, []byte(`{"error":"Z"}`), "application/json", "")
	f.Add(503, []byte(`{"error":"server busy, Z"}`), "application/json", "")
	f.Add(302, []byte(`<html>Z`), "text/html", "https://Z:Z@h/")
	f.Add(404, []byte(`[[[[`), "", "%zz")
	f.Fuzz(func(t *testing.T, status int, body []byte, kind, location string) {
		z := func(s string) string { return strings.ReplaceAll(s, "Z", canary) }
		reply := dependency.HTTPReply{
			Status: status, Body: []byte(z(string(body))),
			Header: http.Header{"Content-Type": {z(kind)}, "Location": {z(location)}, "Date": {z(kind)}},
		}
		_ = isWithheld(reply) || isForOthers(reply) || serverTime(reply).Equal(time.Now())
		models, err := readModels(reply)
		if err != nil {
			var fault *health.Fault
			if !errors.As(err, &fault) || fault.Reason == "" || strings.Contains(fault.Message, canary) {
				t.Errorf("status %d: %#v", status, err)
			}
			return
		}
		for _, m := range models {
			if m.Name == "" || !sameModel(m.Name, m.Name) {
				t.Errorf("model %+v", m)
			}
		}
	})
}

// The URL may carry a password, so that no error quotes it, and what is accepted is HTTP.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"h", "h:1", "::1", "[::1]:1", "https://u:Z@h:1/x", "http://Z:Z@%zz", "h:Z", "http://h?Z", "http://h#Z", "u:Z@h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseAddress(strings.ReplaceAll(text, "Z", canary))
		switch {
		case err != nil && strings.Contains(text, "@") && strings.Contains(err.Error(), canary):
			t.Errorf("%q: %v", text, err)
		case err == nil && u.Scheme != "http" && u.Scheme != "https":
			t.Errorf("%q is %v", text, u)
		}
	})
}
