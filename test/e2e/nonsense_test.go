package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// hugeReply is what a server that went mad answers, in bytes.
const hugeReply = 100 << 20

// nonsense are answers that an Ollama does not give, by a stand-in behind the
// same address.
func (v *victim) nonsense(t *testing.T) []fault {
	t.Helper()
	var faults []fault
	for name, handler := range map[string]http.HandlerFunc{
		"garbage":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x00\xff{]")) },
		"not HTTP":      writeRaw,
		"wrong JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"models": {"name": 1}}`)) },
		"100 MB":        func(w http.ResponseWriter, _ *http.Request) { writeHuge(w, `{"models": [{"name": "`, "aaaaaaaa") },
		"100 MB honest": writeHugeWithLength,
	} {
		standIn := httptest.NewServer(handler)
		t.Cleanup(standIn.Close)
		faults = append(faults, fault{
			name: name, vars: v.detour(),
			fail: sure(func() { v.relay.To(strings.TrimPrefix(standIn.URL, "http://")) }),
			mend: sure(func() { v.relay.To(v.server.Addr()) }), status: "unhealthy", reason: "protocol",
		})
	}
	return faults
}

func writeRaw(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
		_ = conn.Close()
	}
}

func writeHugeWithLength(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "104857600")
	writeHuge(w, "[", "[[[[[[[[")
}

func writeHuge(w http.ResponseWriter, begin, more string) {
	piece := []byte(strings.Repeat(more, 8<<10))
	_, err := w.Write([]byte(begin))
	for n := len(begin); n < hugeReply && err == nil; n += len(piece) {
		_, err = w.Write(piece[:min(len(piece), hugeReply-n)])
	}
}

// Whatever is sent, little of it is kept, and no connection either.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	standIn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeHuge(w, "[", "[[[[[[[[") }))
	t.Cleanup(standIn.Close)
	vars := servers.At("ollama", strings.TrimPrefix(standIn.URL, "http://"))
	s := startSidecar(t, with(with(vars, "HEALTH_SERVICES", "ollama"), "OLLAMA_PROBE_INTERVAL", "100ms")...)
	s.awaitService("ollama", "unhealthy", "protocol", confirmed)
	begin := s.scrape()["process_open_fds"]
	if !poll.Poll(t.Context(), 20*timeout+slack, func() bool { return s.checks("ollama") >= 20 }) {
		t.Error("the checks have stopped")
	}
	if end := s.scrape()["process_open_fds"]; end > begin+5 {
		t.Errorf("%v descriptors at first, %v after 20 checks", begin, end)
	}
	if peak := statusBytes(t, s.PID(), "VmHWM") / megabyte; peak > 64 {
		t.Errorf("the resident memory was up to %.0f MB", peak)
	}
}
