package check_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/reims/reims-health/pkg/check"
)

// reply is what a path is answered with.
type reply struct {
	code int
	kind string
	body string
}

func asJSON(code int, body string) reply { return reply{code, "application/json", body} }
func asText(code int, body string) reply { return reply{code, "text/plain; charset=utf-8", body} }

// NOW in a body is the time of the request.
const (
	healthy = `{"success":true,"status":"healthy","services":{"database":"healthy","redis":"healthy"},
		"details":{"database":{"latency_ms":1.5,"version":"PostgreSQL 15.2","checked_at":"NOW","since":"NOW"},
		"redis":{"latency_ms":0.5,"checked_at":"NOW","since":"NOW"}},"timestamp":"NOW","check_duration_ms":2}`
	database = `{"success":true,"status":"healthy","details":{"latency_ms":1.5,"checked_at":"NOW","since":"NOW"},"timestamp":"NOW"}`
	notFound = `{"success":false,"error":"no such path or service",
		"paths":["/health","/health/live","/health/history","/","/health/database","/health/redis"]}`
	past = `{"success":true,"since":"NOW","services":{"database":{"results":[{"time":"NOW","status":"healthy","latency_ms":2},
		{"time":"NOW","status":"unhealthy","reason":"refused"},{"time":"NOW","status":"healthy","latency_ms":4}]},
		"redis":{"results":[]}},"timestamp":"NOW"}`
)

// well is a sidecar with nothing wrong.
func well() map[string]reply {
	return map[string]reply{
		"/health":                 asJSON(200, healthy),
		"/health/database":        asJSON(200, database),
		"/health/redis":           asJSON(200, database),
		"/health/ready":           asJSON(200, `{"status":"ready","database":"healthy","timestamp":"NOW"}`),
		"/health/live":            asJSON(200, `{"status":"alive","timestamp":"NOW"}`),
		"/health?verbose":         asText(200, "[+]database ok\n[+]redis ok\nhealth check passed\n"),
		"/health/ready?verbose":   asText(200, "[+]database ok\n[+]redis excluded: ok\nready check passed\n"),
		"/health/live?verbose":    asText(200, "[+]scheduler ok\nlive check passed\n"),
		"/health/no-such-service": asJSON(404, notFound),
		"/health/history":         asJSON(200, past),
		"/":                       {200, "text/html; charset=utf-8", "<html>"},
	}
}

// with is that sidecar with some answers replaced.
func with(replies map[string]reply) map[string]reply {
	all := well()
	maps.Copy(all, replies)
	return all
}

// serve answers with these, and returns a client for it.
func serve(t *testing.T, replies map[string]reply) *check.Client {
	t.Helper()
	return serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		uri := r.URL.RequestURI()
		if r.URL.Path == "/health/history" {
			uri = r.URL.Path
		}
		replies[uri].write(w)
	})
}

func (r reply) write(w http.ResponseWriter) {
	if r.code == 0 { // none
		r = asJSON(http.StatusNotFound, notFound)
	}
	w.Header().Set("Content-Type", r.kind)
	w.WriteHeader(r.code)
	_, _ = w.Write([]byte(strings.ReplaceAll(r.body, "NOW", time.Now().UTC().Format(time.RFC3339Nano))))
}

func (r reply) answer(w http.ResponseWriter, _ *http.Request) { r.write(w) }

func serveFunc(t *testing.T, handler http.HandlerFunc, options ...func(*check.Options)) *check.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	u, err := check.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := check.Options{URL: u, Timeout: 10 * time.Second, Kinds: registry.Kinds().Described()}
	for _, set := range options {
		set(&o)
	}
	return check.NewClient(o)
}
