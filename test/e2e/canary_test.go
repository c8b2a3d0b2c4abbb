package e2e_test

import (
	"crypto/rand"
	wire "encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

// canaries returns variables with a secret in each place that has one, full of
// what quoting, escaping and encoding change.
func canaries(t *testing.T) []servers.Var {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(file, []byte(canary()), 0o600))
	return []servers.Var{
		{Name: "DATABASE_PASSWORD", Value: canary()},
		{Name: "DATABASE_USER", Value: "app"},
		{Name: "REDIS_PASSWORD", Value: ""},
		{Name: "REDIS_PASSWORD_FILE", Value: file},
		{Name: "REDIS_USERNAME", Value: "app"},
		{Name: "MINIO_ACCESS_KEY", Value: rand.Text()},
		{Name: "MINIO_SECRET_KEY", Value: canary()},
		{Name: "HEALTH_TOKEN", Value: rand.Text()},
		{Name: "HEALTH_DETAILS", Value: "full"},
	}
}

func canary() string { return rand.Text() + ` "\'%/@:?#&=<é` + rand.Text() }

// Whatever the servers do with the secrets that they are given, and be it to send
// them back, none is shown: in no answer, metric or line of the log.
func TestCanaries(t *testing.T) {
	t.Parallel()
	password := rand.Text()
	reflected := servers.Var{Name: "OLLAMA_HOST", Value: "http://user:" + password + "@" + reflectHTTP(t)}
	refused := servers.Var{Name: "OLLAMA_HOST", Value: "http://user:" + password + "@" + servers.FreeAddr(t)}
	for name, vars := range map[string][]servers.Var{
		"login refused": append(bystanders.env(t), refused),
		"reflected":     append(addresses(reflectPostgres(t), reflectRedis(t), reflectHTTP(t)), reflected),
		"TLS to plain": append(addresses(reflectPostgres(t), reflectRedis(t), reflectHTTP(t)),
			servers.Var{Name: "OLLAMA_HOST", Value: "https://user:" + password + "@" + reflectHTTP(t)},
			servers.Var{Name: "ENVIRONMENT", Value: "production"}, servers.Var{Name: "REDIS_TLS", Value: "on"},
			servers.Var{Name: "MINIO_SECURE", Value: "on"}),
		"absent": append(nowhere(t), refused),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := append(vars, canaries(t)...)
			s := startSidecar(t, vars...)
			a, _ := s.await("/health", confirmed, func(a answer) bool {
				return a.judged("database") && a.judged("redis") && a.judged("minio") && a.judged("ollama")
			})
			for _, service := range services {
				if a.json.Services[service] != "unhealthy" {
					t.Errorf("%s is %s: nothing was shown a secret", service, a.json.Services[service])
				}
			}
			s.readAll() // each answer is searched, and the log at the end
			code, stdout, stderr := runProgram(t, vars, "config")
			if s.secrets.check(t, "config", stdout+stderr); code != 0 {
				t.Errorf("config: exit %d: %s", code, stderr)
			}
			if name == "reflected" {
				s.checkRedacted("database", "redis", "minio")
			}
		})
	}
}

// checkRedacted wants the log to show that there was a secret to hide.
func (s *sidecar) checkRedacted(services ...string) {
	s.t.Helper()
	for _, service := range services {
		if !regexp.MustCompile(`"service":"` + service + `".*\[redacted\]`).MatchString(s.Log()) {
			s.t.Errorf("%s was shown no secret:\n%s", service, s.Log())
		}
	}
}

// readAll asks for everything that there is, in every form.
func (s *sidecar) readAll() {
	s.t.Helper()
	for _, path := range []string{
		"/health", "/health/live", "/health/ready", "/health/database", "/health/redis", "/health/minio", "/health/ollama", "/health/history",
		"/", "/nothing",
	} {
		s.get(path)
		s.get(path+"?verbose", "Authorization", "Bearer nobody's")
	}
	s.scrape()
}

// addresses returns the variables that lead to these servers, two of them HTTP.
func addresses(postgres, redis, http string) []servers.Var {
	return append(append(servers.At("database", postgres), servers.At("redis", redis)...), servers.At("minio", http)...)
}

// reflectHTTP answers with the headers that it was sent.
func reflectHTTP(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Minio-Error-Code", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusBadGateway)
		_ = r.Header.Write(w)
		_, _ = io.WriteString(w, r.RequestURI+" "+serverWords)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// reflectRedis answers with an error that holds what it was sent, as a Redis does
// with a command that it does not know.
func reflectRedis(t *testing.T) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		command := make([]byte, 4<<10)
		for {
			n, err := conn.Read(command)
			if err != nil {
				return
			}
			words := strings.ReplaceAll(string(command[:n]), "\r\n", " ")
			_, _ = io.WriteString(conn, "-ERR "+serverWords+" unknown command, with args beginning with: "+words+"\r\n")
		}
	})
}

// reflectPostgres asks for the password in clear and puts it into an error.
func reflectPostgres(t *testing.T) string {
	t.Helper()
	const sslRequest, cleartext = 80877103, 3
	return listen(t, func(conn net.Conn) {
		for {
			var head struct{ Length, Code uint32 }
			if wire.Read(conn, wire.BigEndian, &head) != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, conn, int64(head.Length)-8); err != nil {
				return
			}
			if head.Code != sslRequest {
				break
			}
			_, _ = io.WriteString(conn, "N")
		}
		_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, cleartext})
		password := make([]byte, 1<<10)
		n, err := conn.Read(password)
		if err != nil || n < 6 {
			return
		}
		body := "SFATAL\x00C28P01\x00M" + serverWords + ": no entry for password " + string(password[5:n-1]) + "\x00\x00"
		_ = wire.Write(conn, wire.BigEndian, struct {
			Type   uint8
			Length uint32
		}{'E', uint32(len(body) + 4)})
		_, _ = io.WriteString(conn, body)
	})
}

// listen serves connections until the end of the test.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			serving.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}
