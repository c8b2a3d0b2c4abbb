package e2e_test

import (
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is shown to whom, with a version and an endpoint for what names things.
func TestDetails(t *testing.T) {
	t.Parallel()
	const token = "canary-of-the-token-7d1f"
	for _, test := range []struct {
		details string
		bearer  string
		numbers bool
		names   bool
	}{
		{"full", "", true, true},
		{"safe", "", true, false},
		{"safe", "wrong", true, false},
		{"safe", token, true, true},
		{"off", "", false, false},
		{"off", token, false, false},
	} {
		t.Run(test.details+" "+test.bearer, func(t *testing.T) {
			t.Parallel()
			vars := with(bystanders.env(t), "HEALTH_DETAILS", test.details)
			s := startSidecar(t, with(vars, "HEALTH_TOKEN", token)...)
			s.await("/health", confirmed, allHealthy)
			for _, path := range []string{"/health", "/health/database", "/health/minio"} {
				a := s.get(path, "Authorization", "Bearer "+test.bearer)
				names := strings.Contains(a.body, "PostgreSQL ") || strings.Contains(a.body, "127.0.0.1")
				if numbers := strings.Contains(a.body, "latency_ms"); numbers != test.numbers || names != test.names {
					t.Errorf("%s: numbers %t, names %t: %s", path, numbers, names, a.body)
				}
			}
			if a := s.get("/health/ready"); a.code != 200 {
				t.Errorf("/health/ready needs a token: %d", a.code)
			}
		})
	}
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	const origin = "https://dashboard.example"
	s := startSidecar(t, with(bystanders.env(t), "HEALTH_ALLOWED_ORIGINS", origin)...)
	s.await("/health", confirmed, allHealthy)
	for _, test := range []struct {
		method, path, origin string
		code                 int
		allow, allowed       string // headers
		body                 string // a part of it
	}{
		{"GET", "/health", "", 200, "", "", `{"success":true,"status":"healthy","services":{"database":"healthy","redis":`},
		{"GET", "/health/live", "", 200, "", "", `{"status":"alive","timestamp":"`},
		{"GET", "/health/ready", "", 200, "", "", `{"status":"ready","database":"healthy","timestamp":"`},
		{"GET", "/health/ollama", "", 200, "", "", `"models":["tiny:latest"]`},
		{"GET", "/health?verbose", "", 200, "", "", "[+]database ok\n"},
		{"HEAD", "/health", "", 200, "", "", ""},
		{"POST", "/health", "", 405, "GET, HEAD", "", "{"},
		{"DELETE", "/health/live", "", 405, "GET, HEAD", "", "{"},
		{"GET", "/health/mongo", "", 404, "", "", "{"},
		{"GET", "/", "", 200, "", "", "<h1 "},
		{"GET", "/index.html", "", 404, "", "", "{"},
		{"GET", "/health/history?service=redis&since=1m", "", 200, "", "", `{"success":true,"since":"`},
		{"GET", "/health/history?since=soon", "", 400, "", "", `"error":"since: `},
		{"GET", "/health/history?service=mongo", "", 404, "", "", "{"},
		{"POST", "/health/history", "", 405, "GET, HEAD", "", "{"},
		{"GET", "/health", origin, 200, "", origin, "{"},
		{"GET", "/health", "https://other.example", 200, "", "", "{"},
	} {
		a, err := s.fetch(test.method, s.health+test.path, "Origin", test.origin)
		must(t, err)
		if a.code != test.code || a.header.Get("Allow") != test.allow || a.header.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%s %s: %d %v", test.method, test.path, a.code, a.header)
		}
		if test.method == http.MethodHead && (a.body != "" || a.header.Get("Content-Length") == "0") {
			t.Errorf("HEAD: %v %q", a.header, a.body)
		}
		if !strings.Contains(a.body, test.body) {
			t.Errorf("%s %s: %s", test.method, test.path, a.body)
		}
		if a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be cached: %v", test.method, test.path, a.header)
		}
	}
}

// With the page off there is nothing at /, nor any of its files.
func TestPageOff(t *testing.T) {
	t.Parallel()
	on := startSidecar(t, nowhere(t)...)
	s := startSidecar(t, with(nowhere(t), "HEALTH_PAGE", "off")...)
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(on.get("/").body, -1)
	for _, link := range links {
		path := "/" + link[1]
		if there, here := on.get(path).code, s.get(path).code; there != 200 || here != 404 {
			t.Errorf("%s: %d with the page, %d without", path, there, here)
		}
	}
	if len(links) < 3 {
		t.Errorf("the page's files: %v", links)
	}
	if a := s.get("/"); a.code != 404 || strings.Contains(a.body, `"/",`) {
		t.Errorf("/: %d %s", a.code, a.body)
	}
	if a := s.get("/health/history"); a.code != 200 {
		t.Errorf("/health/history: %d %s", a.code, a.body)
	}
}

// The names that dashboards use are there, in a body of the real thing.
func TestDetailNames(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, bystanders.env(t)...)
	a, _ := s.await("/health", confirmed, allHealthy)
	for service, names := range map[string][]string{
		"database": {"latency_ms", "pool_size", "pool_free", "pool_active", "database", "version"},
		"redis":    {"latency_ms", "memory_usage", "memory_peak", "connected_clients", "total_commands", "version"},
		"minio":    {"latency_ms", "buckets_count", "buckets", "endpoint", "secure"},
		"ollama":   {"latency_ms", "models_count", "models", "endpoint", "status_code"},
	} {
		var there map[string]any
		must(t, json.Unmarshal(a.json.Details[service], &there))
		for _, name := range append(names, "checked_at", "since") {
			if there[name] == nil {
				t.Errorf("%s: no %s in %s", service, name, a.json.Details[service])
			}
		}
	}
}

// A service that is left out appears nowhere, and the order is the configured one.
func TestServicesLeftOut(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, with(bystanders.env(t), "HEALTH_SERVICES", "redis,database")...)
	a, _ := s.await("/health", confirmed, func(a answer) bool { return a.healthy("redis", "database") })
	if !strings.Contains(a.body, `"services":{"redis":"healthy","database":"healthy"}`) {
		t.Error(a.body)
	}
	scraped, err := s.fetch(http.MethodGet, s.metrics)
	must(t, err)
	bodies := []string{a.body, scraped.body, s.get("/health?verbose").body, s.get("/health/ready?verbose").body}
	for _, body := range bodies {
		if lower := strings.ToLower(body); strings.Contains(lower, "minio") || strings.Contains(lower, "ollama") {
			t.Errorf("a service that is left out is in\n%s", body)
		}
	}
	if a := s.get("/health/minio"); a.code != 404 {
		t.Errorf("/health/minio: %d", a.code)
	}
}

// The latencies under their old names are the new ones of the same check.
func TestMetricsAgree(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, bystanders.env(t)...)
	s.await("/health", confirmed, allHealthy)
	m := s.scrape()
	for service, old := range map[string]string{
		"database": "db_latency_ms", "redis": "redis_latency_ms", "minio": "minio_latency_ms", "ollama": "ollama_latency_ms",
	} {
		seconds := m[`reims_health_probe_last_duration_seconds{service="`+service+`"}`]
		if seconds <= 0 || math.Abs(m[old]-seconds*1000) > 1e-9*m[old] {
			t.Errorf("%s is %v, and %v s", old, m[old], seconds)
		}
	}
	m.want(t, "reims_health_ready", 1)
	m.want(t, "db_pool_active", 0)
	m.want(t, "db_pool_size", 1)
	m.want(t, "db_pool_free", 1)
	var families []string
	for name := range m {
		if name, _, _ = strings.Cut(name, "{"); !slices.Contains(families, name) {
			families = append(families, name)
		}
	}
	for _, name := range []string{
		"process_resident_memory_bytes", "reims_health_build_info", "reims_health_db_connections",
		"reims_health_last_probe_timestamp_seconds", "reims_health_last_success_timestamp_seconds", "reims_health_override",
		"reims_health_probes_total", "reims_health_redis_memory_bytes", "reims_health_app_db_connections",
	} {
		if !slices.Contains(families, name) {
			t.Errorf("no %s in %v", name, families)
		}
	}
}
