package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// whoSees asks a handler whose page shows everything to operators and little to others.
func whoSees(details server.Details, remote, host string, header http.Header, proto string) (full bool, answer *httptest.ResponseRecorder) {
	last, told := scenario.All()["healthy"].Remembered()
	monitor := &scenario.Monitor{Latest: last}
	h := server.AllowOrigins([]string{"*"}, server.NewHandler(monitor, server.Options{
		Details: details, History: told, Token: func() string { return scenario.Token },
		Page: scenario.NewPage(monitor, told, details), OperatorPage: scenario.NewPage(monitor, told, server.Full),
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Host, r.Header = remote, host, header
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if proto == "HTTP/1.0" {
		r.Proto, r.ProtoMajor, r.ProtoMinor = proto, 1, 0
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return strings.Contains(w.Body.String(), scenario.Instance), w
}

// The page with more details is for a person at loopback, and for who holds the token.
func TestOperatorPage(t *testing.T) {
	t.Parallel()
	const here, there = "127.0.0.1:50000", "10.1.2.3:50000"
	with := func(name, value string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {value}} }
	token := with("Authorization", "Bearer "+scenario.Token)
	for name, test := range map[string]struct {
		remote, host string
		header       http.Header
		proto        string
		full         bool
	}{
		"port-forward":                {remote: here, host: "localhost:8008", full: true},
		"by address":                  {remote: here, host: "127.0.0.1:8008", full: true},
		"IPv6":                        {remote: "[::1]:50000", host: "[::1]:8008", full: true},
		"IPv6, no port":               {remote: "[::1]:50000", host: "[::1]", full: true},
		"IPv4 in IPv6":                {remote: "[::ffff:127.0.0.1]:50000", host: "LOCALHOST", full: true},
		"typed":                       {remote: here, host: "localhost:8008", header: with("Sec-Fetch-Site", "none"), full: true},
		"its own script":              {remote: here, host: "localhost:8008", header: with("Sec-Fetch-Site", "same-origin"), full: true},
		"elsewhere":                   {remote: there, host: "localhost:8008"},
		"elsewhere, IPv6":             {remote: "[fd00::1]:50000", host: "localhost:8008"},
		"a service mesh":              {remote: "127.0.0.6:50000", host: "localhost:8008"},
		"no address":                  {remote: "@", host: "localhost:8008"},
		"rebinding":                   {remote: here, host: "evil.example:8008"},
		"rebinding, localhost in it":  {remote: here, host: "localhost.evil.example:8008"},
		"rebinding, an address in it": {remote: here, host: "127.0.0.1.evil.example"},
		"the Pod's name":              {remote: here, host: "api-7c9f4-x2lqz:8008"},
		"no host":                     {remote: here, host: ""},
		"CORS":                        {remote: here, host: "localhost:8008", header: with("Origin", "https://evil.example")},
		"CORS, sandboxed":             {remote: here, host: "localhost:8008", header: with("Origin", "null")},
		"another site":                {remote: here, host: "localhost:8008", header: with("Sec-Fetch-Site", "cross-site")},
		"another port":                {remote: here, host: "localhost:8008", header: with("Sec-Fetch-Site", "same-site")},
		"a proxy of old":              {remote: here, host: "127.0.0.1:8008", proto: "HTTP/1.0"},
		"X-Forwarded-For":             {remote: here, host: "localhost:8008", header: with("X-Forwarded-For", "127.0.0.1")},
		"X-Forwarded-Proto":           {remote: here, host: "localhost:8008", header: with("X-Forwarded-Proto", "https")},
		"X-Forwarded, empty":          {remote: here, host: "localhost:8008", header: with("X-Forwarded-Host", "")},
		"Forwarded":                   {remote: here, host: "localhost:8008", header: with("Forwarded", "for=127.0.0.1")},
		"Via":                         {remote: here, host: "localhost:8008", header: with("Via", "1.1 proxy")},
		"X-Real-IP":                   {remote: here, host: "localhost:8008", header: with("X-Real-IP", "127.0.0.1")},
		"Envoy":                       {remote: here, host: "localhost:8008", header: with("X-Envoy-Attempt-Count", "1")},
		"a tracing proxy":             {remote: here, host: "localhost:8008", header: with("X-Request-ID", "1")},
		"token":                       {remote: there, host: "api.example", header: token, full: true},
		"another token":               {remote: there, host: "api.example", header: with("Authorization", "Bearer wrong")},
		"not a bearer":                {remote: there, host: "api.example", header: with("Authorization", "Basic "+scenario.Token)},
	} {
		for _, details := range []server.Details{server.Safe, server.Off} {
			full, w := whoSees(details, test.remote, test.host, test.header.Clone(), test.proto)
			if full != test.full {
				t.Errorf("%s, %s: everything is shown: %t", name, details, full)
			}
			vary := strings.Join(w.Header()["Vary"], ", ")
			if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(vary, "Authorization") || !strings.Contains(vary, "Origin") {
				t.Errorf("%s, %s: a cache may hand it on: %v", name, details, w.Header())
			}
		}
	}
}

// What is not the page is not told more at loopback, and neither are the page's readers where
// there is one page for all.
func TestOperatorPageAlone(t *testing.T) {
	t.Parallel()
	last, told := scenario.All()["healthy"].Remembered()
	monitor := &scenario.Monitor{Latest: last}
	options := server.Options{Details: server.Safe, History: told, Page: scenario.NewPage(monitor, told, server.Safe)}
	one := server.NewHandler(monitor, options)
	options.OperatorPage = scenario.NewPage(monitor, told, server.Full)
	two := server.NewHandler(monitor, options)
	for _, path := range []string{"/", "/health", "/health/database", "/health/ready", "/health/history"} {
		for name, h := range map[string]http.Handler{"one page": one, "two pages": two} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:50000", "localhost:8008"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			body := w.Body.String()
			shown := strings.Contains(body, "reims_production") || strings.Contains(body, scenario.Instance)
			if want := path == "/" && name == "two pages"; shown != want || w.Code != http.StatusOK {
				t.Errorf("%s, %s: %d, names are shown: %t", name, path, w.Code, shown)
			}
		}
	}
}

// Both pages tell the latest view.
func TestOperatorPagePublish(t *testing.T) {
	t.Parallel()
	before, told := scenario.All()["healthy"].Remembered()
	after, _ := scenario.All()["unhealthy"].Remembered()
	monitor := &scenario.Monitor{Latest: before}
	h := server.NewHandler(monitor, server.Options{
		Details: server.Safe, History: told,
		Page: scenario.NewPage(monitor, told, server.Safe), OperatorPage: scenario.NewPage(monitor, told, server.Full),
	})
	h.Publish(after)
	for _, host := range []string{"localhost", "api.example"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:50000", host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), "Database and MinIO are unhealthy.") {
			t.Errorf("%s: the page is that of the view before", host)
		}
	}
}
