package peers

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const (
	ourName    = "OURS"
	honestName = "HONEST0"
)

// says answers with a body.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// claims answers as a sidecar would, with some words of its own on the database.
func claims(words string) http.HandlerFunc {
	return says(`{"instance":"X","services":{"database":{` + words + `}}}`)
}

// floods writes 100 MB, or as much of it as somebody takes.
func floods(begin string) http.HandlerFunc {
	chunk := strings.Repeat(" ", 1<<20)
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, begin)
		for range 100 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	}
}

// hangs says something and then nothing until the other side is gone.
func hangs(begin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if begin != "" {
			_, _ = io.WriteString(w, begin)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// raw writes bytes that need not be HTTP, and resets the connection.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// A peer that lies or breaks the protocol has no effect beyond its own voice: the two
// others decide, its round ends in time and it costs little memory.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	const well = `"status":"healthy","proven":true,"failing":false,"ok_age_ms":0`
	for name, handler := range map[string]http.HandlerFunc{
		"sound":                claims(well),
		"failing":              claims(`"status":"unhealthy","proven":true,"failing":true,"ok_age_ms":null`),
		"failing and sound":    claims(`"status":"healthy","proven":true,"failing":true,"ok_age_ms":0`),
		"a newcomer":           claims(`"status":"unhealthy","proven":false,"failing":true,"ok_age_ms":0`),
		"a negative age":       claims(`"status":"healthy","proven":true,"failing":false,"ok_age_ms":-1`),
		"a huge age":           claims(`"status":"healthy","proven":true,"failing":false,"ok_age_ms":9223372036854775807`),
		"an age past 64 bits":  claims(`"status":"healthy","proven":true,"failing":false,"ok_age_ms":1e30`),
		"a status of its own":  claims(`"status":"superb","proven":true,"failing":true,"ok_age_ms":0`),
		"no status":            claims(`"proven":true,"failing":true`),
		"words for states":     claims(`"status":"healthy","proven":"yes","failing":"no"`),
		"a key twice":          claims(`"status":"healthy","proven":true,"failing":true,"failing":false,"ok_age_ms":-5,"ok_age_ms":0`),
		"a service twice":      says(`{"instance":"X","services":{"database":{` + well + `},"database":{"status":"unhealthy","proven":true,"failing":true}}}`),
		"the name of another":  says(`{"instance":"` + honestName + `","services":{"database":{"status":"unhealthy","proven":true,"failing":true}}}`),
		"our name":             says(`{"instance":"` + ourName + `","services":{"database":{"status":"unhealthy","proven":true,"failing":true}}}`),
		"no name":              says(`{"services":{"database":{` + well + `}}}`),
		"a long name":          says(`{"instance":"` + strings.Repeat("X", 65) + `","services":{"database":{` + well + `}}}`),
		"unknown services":     says(`{"instance":"X","services":{"search":{` + well + `},"../../etc":{` + well + `}}}`),
		"no services":          says(`{"instance":"X"}`),
		"many services":        says(`{"instance":"X","services":{` + strings.Repeat(`"s":{"status":"healthy"},`, 600) + `"database":{` + well + `}}}`),
		"too long":             says(`{"instance":"X","services":{"database":{` + well + `}},"more":"` + strings.Repeat("x", maxAnswer) + `"}`),
		"deep":                 says(strings.Repeat(`{"services":`, 1300)),
		"HTML":                 says("<!doctype html><title>Log in</title>"),
		"null":                 says("null"),
		"nothing":              says(""),
		"an array":             says("[1,2,3]"),
		"an old version":       http.NotFound,
		"500":                  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no content":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"a redirect":           func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, Path, http.StatusTemporaryRedirect) },
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			claims(well)(w, r)
		},
		"a flood":                 floods(""),
		"a flood within JSON":     floods(`{"instance":"X","services":{"database":{`),
		"a flood of headers":      raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 5000)),
		"a flood of 1xx":          raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 100000)),
		"hangs":                   hangs(""),
		"hangs in the middle":     hangs(`{"instance":"X","services":{"data`),
		"reset":                   raw(""),
		"reset in the middle":     raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"instance\":\"X\","),
		"a length that is wrong":  raw("HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n{}"),
		"another protocol":        raw("SSH-2.0-OpenSSH_9.6\r\n"),
		"a switch of protocols":   raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
		"no end of a status line": raw(strings.Repeat("HTTP/1.1 ", 1<<17)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hostile := serve(t, handler)
			for _, others := range []struct {
				fail bool
				want health.Scope
			}{{false, health.ScopeLocal}, {true, health.ScopeShared}} {
				since := time.Now().Add(-time.Minute)
				listed := []string{hostile, honest(t, 0, others.fail), honest(t, 1, others.fail)}
				p := New(Options{
					Names: listed, Port: "8008", Instance: ourName, Sample: 16, Timeout: 500 * time.Millisecond,
					Log: slog.New(slog.DiscardHandler),
				})
				p.faults["database"] = newFault(broken(since, since))
				p.faults["database"].ledger.began = since
				asked := time.Now()
				p.recordAnswers(p.ask(t.Context(), listed))
				if took := time.Since(asked); took > 5*time.Second {
					t.Errorf("the round took %s", took)
				}
				l, now := p.faults["database"].ledger, time.Now()
				d := Decide(broken(since, now), l, p.directory.fleet(now), now)
				if d.Scope != others.want || d.Asked < 2 || d.Asked > 3 || d.Sound+d.Failing < 2 ||
					others.fail && d.Sound > 1 || !others.fail && d.Failing > 1 {
					t.Errorf("with others that fail (%t): %+v, want %s", others.fail, d.Finding, others.want)
				}
			}
		})
	}
}

// What floods of 100 MB cost: no more than what is read of them.
func TestFloodCostsLittleMemory(t *testing.T) { // it measures the process, so it is not parallel
	p := New(Options{Names: []string{"a", "b"}, Port: "8008", Instance: ourName, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler)})
	address := serve(t, floods(""))
	var before, since runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 5 {
		if r := p.ask(t.Context(), []string{address}); r[0].err == nil {
			t.Error("a flood was an answer")
		}
	}
	runtime.ReadMemStats(&since)
	if grown := since.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("five floods allocated %d bytes", grown)
	}
}

// serve returns the address of a server.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.Listener.Addr().String()
}

// honest returns the address of a peer that has just found the service well, or failing.
func honest(t *testing.T, n int, fails bool) string {
	t.Helper()
	now := time.Now()
	r := broken(now.Add(-time.Minute), now)
	if !fails {
		r = r.Next(health.Outcome{Started: now, Finished: now})
	}
	view := func() *health.View { return health.NewView(time.Now(), []health.Result{r}, health.NoOverride, false) }
	return serve(t, NewHandler(view, fmt.Sprint("HONEST", n)))
}

// Nothing that anybody answers is taken for more than it may be.
func FuzzDecode(f *testing.F) {
	now := time.Now()
	r := broken(now.Add(-time.Minute), now)
	f.Add(appendAnswer(nil, NewInstance(), health.NewView(now, []health.Result{r}, health.NoOverride, false), now))
	f.Add([]byte(`{"instance":"X","services":{"database":{"status":"healthy","proven":true,"failing":false,"ok_age_ms":9e99}}}`))
	f.Add([]byte(`{"INSTANCE":"X","services":{"a":{"status":"healthy"},"a":null}}`))
	f.Add([]byte(`<!doctype html>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := decode(body)
		if err != nil {
			if text := err.Error(); len(text) > 100 {
				t.Errorf("the error has words of the peer's: %s", text)
			}
			return
		}
		if a.instance == "" || len(a.instance) > maxInstance || a.services == nil {
			t.Errorf("instance %q", a.instance)
		}
		for name, s := range a.services {
			if s.okAge < 0 || s.okAge > maxAge || !s.ok && s.okAge != 0 || !s.known {
				t.Errorf("%s: %+v", name, s)
			}
			if v := verdictFor(s, now, now); v == sound {
				t.Errorf("%s: sound before it was checked: %+v", name, s)
			}
		}
	})
}

// A round that is cut short by the end of the process ends at once.
func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := New(Options{Names: []string{"a", "b"}, Port: "8008", Timeout: time.Hour, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := p.ask(ctx, []string{serve(t, hangs(""))}); r[0].err == nil {
		t.Error("an answer after the end")
	}
}
