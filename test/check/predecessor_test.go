package check_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// predecessorCmd starts a stand-in for the API's health module: it has the names and
// the defects of the contract, and takes the rest from the sidecar, so that both see the
// same servers. The arguments overrule what it says: details.redis.role="x", or
// services.database="unhealthy"; hang makes /health hang.
func (s *stage) predecessorCmd(ts *testscript.TestScript, args []string) error {
	p := &predecessor{sidecar: "http://" + s.sidecar.addr, overrule: map[string]json.RawMessage{}, done: make(chan struct{})}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		p.hangs = p.hangs || name == "hang"
		p.overrule[name] = json.RawMessage(value)
	}
	server := httptest.NewServer(p)
	ts.Defer(func() {
		close(p.done)
		server.Close()
	})
	ts.Setenv("OLD", server.URL)
	return nil
}

type predecessor struct {
	sidecar  string
	overrule map[string]json.RawMessage
	hangs    bool
	done     chan struct{}
}

// old are the details that it knew.
var old = map[string][]string{
	"database": {"latency_ms", "pool_size", "pool_free", "pool_active", "database", "version"},
	"redis":    {"latency_ms", "memory_usage", "memory_peak", "connected_clients", "total_commands", "version"},
	"minio":    {"latency_ms", "buckets_count", "buckets", "endpoint", "secure"},
	"ollama":   {"latency_ms", "models_count", "models", "endpoint", "status_code"},
}

// defects are the values that were never right.
var defects = map[string]json.RawMessage{
	"details.database.pool_size": json.RawMessage("10"), "details.database.pool_free": json.RawMessage("8"),
	"details.database.pool_active":    json.RawMessage("2"),
	"details.redis.connected_clients": json.RawMessage("0"), "details.redis.total_commands": json.RawMessage("0"),
	"details.redis.version": json.RawMessage(`"Unknown"`),
}

type details map[string]map[string]json.RawMessage

func (p *predecessor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/health"), "/")
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000")
	if name == "live" {
		reply(w, http.StatusOK, map[string]any{"status": "alive", "timestamp": now})
		return
	}
	if p.hangs {
		<-p.done
		return
	}
	status, services, details := p.look()
	switch {
	case name == "":
		reply(w, codeOf(status), map[string]any{
			"success": status == "healthy", "status": status, "services": services, "details": details,
			"timestamp": now, "check_duration_ms": 12.5,
		})
	case name == "ready":
		ready := map[bool]string{true: "ready", false: "not_ready"}[services["database"] == "healthy"]
		reply(w, codeOf(services["database"]), map[string]any{"status": ready, "database": services["database"], "timestamp": now})
	default: // always 200
		reply(w, http.StatusOK, map[string]any{
			"success": services[name] == "healthy", "status": services[name], "details": details[name], "timestamp": now,
		})
	}
}

// look is what it would have seen. To it a service was healthy or unhealthy, and any
// of them decided.
func (p *predecessor) look() (status string, services map[string]string, all details) {
	var h health
	if answer, err := http.Get(p.sidecar + "/health"); err == nil {
		defer answer.Body.Close()
		_ = json.NewDecoder(answer.Body).Decode(&h)
	}
	status, services, all = "healthy", map[string]string{}, details{}
	for name, now := range h.Services {
		var seen map[string]json.RawMessage
		_ = json.Unmarshal(h.Details[name], &seen)
		services[name], all[name] = "healthy", map[string]json.RawMessage{}
		if value, ok := p.overrule["services."+name]; ok {
			_ = json.Unmarshal(value, &now)
		}
		if now == "unhealthy" {
			status, services[name] = "unhealthy", "unhealthy"
			all[name]["error"] = json.RawMessage(`"connection to server at 10.0.0.1 failed for reims:canary"`)
			continue
		}
		for _, key := range old[name] {
			all[name][key] = pick("details."+name+"."+key, seen[key], defects, p.overrule)
		}
	}
	return status, services, all
}

// pick is the value that the last of the tables has for a field, or else the usual one.
func pick(field string, usual json.RawMessage, tables ...map[string]json.RawMessage) json.RawMessage {
	for _, table := range tables {
		if value, ok := table[field]; ok {
			usual = value
		}
	}
	return usual
}

func codeOf(status string) int {
	if status == "healthy" {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func reply(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		code, text = http.StatusInternalServerError, fmt.Appendf(nil, "%q", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(text)
}
