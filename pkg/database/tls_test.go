package database_test

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/servers"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{
		TLS: true, HBA: []string{"hostssl all postgres 127.0.0.1/32 scram-sha-256"},
	})
	other := servers.RunPostgres(t, servers.PostgresOptions{TLS: true}).CAFile()
	for _, tt := range []struct {
		name   string
		change func(*database.Config)
		good   bool
	}{
		{"development", func(*database.Config) {}, true},
		{"production", func(c *database.Config) { c.Environment = "production" }, true},
		{"root certificate", func(c *database.Config) { c.SSLRootCert = pg.CAFile() }, true},
		{"another root certificate", func(c *database.Config) { c.SSLRootCert = other }, false},
		{"another root certificate, required", func(c *database.Config) { c.SSLMode, c.SSLRootCert = "require", other }, false},
		{"disabled", func(c *database.Config) { c.SSLMode = "disable" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := serverConfig(pg)
			tt.change(&config)
			encrypted, err := database.Value[bool](t.Context(), open(t, config),
				"select ssl from pg_stat_ssl where pid = pg_backend_pid()")
			if (err == nil) != tt.good || encrypted != tt.good {
				t.Errorf("encrypted: %v, error: %v", encrypted, err)
			}
		})
	}
}

// A certificate file that is mounted late, or rotated, needs no restart.
func TestTLSFilesAreReadAtEachDial(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
	config := serverConfig(pg)
	config.SSLRootCert = filepath.Join(t.TempDir(), "ca.crt")
	db := open(t, config)

	_, err := db.Health(t.Context())
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || !errors.Is(err, database.ErrConnection) {
		t.Errorf("missing: got %v, want a TLS error", err)
	}
	if text := err.Error(); !strings.Contains(text, config.SSLRootCert) || strings.Contains(text, "host=") {
		t.Errorf("missing: got %q, want the file and no connection string", text)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("missing: looks like a missing socket to whoever classifies it")
	}
	ca, err := os.ReadFile(pg.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	write(t, config.SSLRootCert, string(ca))
	if _, err := db.Health(t.Context()); err != nil {
		t.Error("there:", err)
	}
	write(t, config.SSLRootCert, "no certificate")
	db.Pool().Reset()
	if _, err := db.Health(t.Context()); err == nil {
		t.Error("broken: still connects")
	}
}

// Opening a pipe would wait for its writer, for longer than the dial may take.
func TestTLSFileThatIsAPipe(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
	config := serverConfig(pg)
	config.SSLRootCert = filepath.Join(t.TempDir(), "ca.pem")
	if err := syscall.Mkfifo(config.SSLRootCert, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := database.Connect(t.Context(), config)
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Connect() = %v", err)
	}
}
