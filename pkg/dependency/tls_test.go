package dependency_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/test/checking"

	"github.com/reims/reims-health/pkg/health"
)

func TestCAFileIsNoSuchFile(t *testing.T) {
	t.Parallel()
	server := checking.Answering(t, checking.ServeTLS(t))
	for name, c := range map[string]struct {
		make func(path string) error
		want string // in the cause
	}{
		"missing":   {func(string) error { return nil }, "no such file"},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		"pipe": {func(path string) error {
			// If the check waits for a writer after all, let it go.
			time.AfterFunc(5*time.Second, func() { writeNothing(path) })
			return syscall.Mkfifo(path, 0o600)
		}, "not a regular file"},
		"endless": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40))
		}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "ca.crt")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			p := closing(t, redis.New(redis.Options{Addr: server, TLS: dependency.TLSConfig(path, "", nil), Timeout: 4 * time.Second}))
			f := checking.Fault(t, p, health.ReasonTLS)
			if f.Err == nil || !strings.Contains(f.Err.Error(), c.want) {
				t.Errorf("cause is %v, want %q in it", f.Err, c.want)
			}
		})
	}
}

// writeNothing opens a pipe for writing and closes it again. It does not wait.
func writeNothing(pipe string) {
	if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil {
		_ = f.Close()
	}
}

// TLS sends no address as the name of a server, and its certificate must be for the address
// all the same.
func TestCertificateIsForTheHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for 127.0.0.1 and example.com
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.crt")
	pem := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for host, good := range map[string]bool{
		"127.0.0.1": true, "127.0.0.2": false, "example.com": true, "example.org": false, "::1": true, "::2": false,
	} {
		cfg := dependency.TLSConfig(path, host, nil)
		cfg.ServerName = host
		dialer := &tls.Dialer{Config: cfg}
		conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != good {
			t.Errorf("a server at %s: %v", host, err)
		}
	}
}
