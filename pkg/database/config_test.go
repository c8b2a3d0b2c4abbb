package database_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/database"
)

func TestSSLMode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ environment, mode, rootCert, want string }{
		{"", "", "", "prefer"},
		{"development", "", "", "prefer"},
		{"staging", "", "", "prefer"},
		{"production", "", "", "require"},
		{"production", "disable", "", "disable"},
		{"production", "", "ca.crt", "verify-full"},
		{"development", "", "ca.crt", "verify-full"},
		{"development", "verify-ca", "ca.crt", "verify-ca"},
	} {
		if got := database.SSLMode(tt.environment, tt.mode, tt.rootCert); got != tt.want {
			t.Errorf("SSLMode(%q, %q, %q) = %q, want %q", tt.environment, tt.mode, tt.rootCert, got, tt.want)
		}
	}
}

func TestOpenRefusesContradictions(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]database.Config{
		"mode":     {SSLMode: "always"},
		"cert":     {SSLCert: "client.crt"},
		"key":      {SSLKey: "client.key"},
		"size":     {MinConns: 3, MaxConns: 2},
		"negative": {MaxConns: -1},
		"timeout":  {CommandTimeout: -time.Second},
		"message":  {MaxMessage: -1},
	} {
		db, err := database.Open(t.Context(), config)
		if !errors.Is(err, database.ErrDatabase) || errors.Is(err, database.ErrConnection) || db != nil {
			t.Errorf("%s: got %v, %v", name, db, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		config   database.Config
		min, max int32
	}{
		{database.Config{}, 10, 20},
		{database.Config{MaxConns: 2}, 2, 2},
		{database.Config{MinConns: 1, MaxConns: 2}, 1, 2},
		{database.Config{MinConns: 30}, 30, 30},
		{database.Config{MinConns: -1}, 0, 20},
	} {
		config := open(t, tt.config).Pool().Config()
		if config.MinConns != tt.min || config.MaxConns != tt.max {
			t.Errorf("%+v: got %d to %d connections, want %d to %d", tt.config, config.MinConns, config.MaxConns, tt.min, tt.max)
		}
	}
	conn := open(t, database.Config{}).Pool().Config().ConnConfig
	got := []any{conn.Host, conn.Port, conn.Database, conn.User, conn.ConnectTimeout, conn.RuntimeParams}
	want := []any{"localhost", uint16(5432), "reims", "postgres", 30 * time.Second, map[string]string{
		"application_name": "reims", "statement_timeout": "5000",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("defaults (-want +got):", diff)
	}
}

// Every value is a string to pgx's parser: what looks like syntax must stay a value.
func TestSettingsAreQuoted(t *testing.T) {
	t.Parallel()
	name := `it's a \ "name" host=evil`
	conn := open(t, database.Config{Host: "localhost", Name: name, User: `o'hara\`}).Pool().Config().ConnConfig
	if conn.Host != "localhost" || conn.Database != name || conn.User != `o'hara\` {
		t.Errorf("got host %q, database %q, user %q", conn.Host, conn.Database, conn.User)
	}
}

// All that pgx's ParseConfig reads, with values that would break the connection
// or show on the server.
func TestEnvironmentHasNoEffect(t *testing.T) {
	home := t.TempDir()
	for name, content := range map[string]string{
		".pgpass":                    "*:*:*:*:wrong\n",
		".pg_service.conf":           "[evil]\nhost=192.0.2.1\noptions=-c work_mem=1MB\n",
		".postgresql/root.crt":       "no certificate",
		".postgresql/postgresql.crt": "no certificate",
		".postgresql/postgresql.key": "no key",
	} {
		write(t, filepath.Join(home, name), content)
	}
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "192.0.2.1", "PGPORT": "1", "PGDATABASE": "evil", "PGUSER": "evil", "PGPASSWORD": "wrong",
		"PGPASSFILE": filepath.Join(home, ".pgpass"), "PGAPPNAME": "evil", "PGCONNECT_TIMEOUT": "none",
		"PGSSLMODE": "verify-full", "PGSSLKEY": "/nowhere", "PGSSLCERT": "/nowhere", "PGSSLCERTMODE": "require",
		"PGSSLSNI": "0", "PGSSLROOTCERT": "/nowhere", "PGSSLPASSWORD": "wrong", "PGSSLNEGOTIATION": "direct",
		"PGTARGETSESSIONATTRS": "standby", "PGTZ": "Asia/Tokyo", "PGOPTIONS": "-c work_mem=1MB",
		"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "9", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "none",
		"PGSERVICEFILE": filepath.Join(home, ".pg_service.conf"),
	} {
		t.Setenv(name, value)
	}
	if name := open(t, database.Config{Host: "localhost"}).Pool().Config().ConnConfig.TLSConfig.ServerName; name != "localhost" {
		t.Errorf("TLS names the server %q", name)
	}
	t.Run("without a service", connectsAsConfigured)
	t.Run("with a service", func(t *testing.T) {
		t.Setenv("PGSERVICE", "evil")
		connectsAsConfigured(t)
	})
	t.Run("with a service that is not there", func(t *testing.T) {
		t.Setenv("PGSERVICE", "missing")
		connectsAsConfigured(t)
	})
}

func connectsAsConfigured(t *testing.T) {
	t.Helper()
	type session struct{ AppName, TimeZone, WorkMem, Timeout string }
	got, err := database.One[session](t.Context(), open(t, serverConfig(server)), `
		select current_setting('application_name') as app_name, current_setting('timezone') as time_zone,
		       current_setting('work_mem') as work_mem, current_setting('statement_timeout') as timeout`)
	if err != nil {
		t.Fatal(err)
	}
	want := session{AppName: "reims", TimeZone: "UTC", WorkMem: "4MB", Timeout: "5s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("session (-want +got):", diff)
	}
}

// The right password in the environment does not let anybody in.
func TestEnvironmentGivesNoPassword(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".pgpass"),
		server.Host()+":"+strconv.Itoa(server.Port())+":*:*:"+server.Password+"\n")
	t.Setenv("HOME", home)
	t.Setenv("PGPASSFILE", filepath.Join(home, ".pgpass"))
	t.Setenv("PGPASSWORD", server.Password)
	config := serverConfig(server)
	config.Password = nil
	db := open(t, config)
	if _, err := db.Health(t.Context()); !errors.Is(err, database.ErrConnection) {
		t.Errorf("got %v, want a refused login", err)
	}
	if db.Pool().Config().ConnConfig.Password != "" {
		t.Error("the pool's configuration holds a password")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
