package config_test

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// A service is another one where what is checked is another, and the same where only the
// way there, the rhythm or a secret is.
func TestDefinition(t *testing.T) {
	t.Parallel()
	base := []string{"POD_UID=a", "DATABASE_HOST=db", "OLLAMA_HOST=u:p@ollama"}
	definitions := func(vars ...string) (all [4]string) {
		c, _ := load(t, append(vars, base...)...) // of a variable that is there twice, the first counts
		for i, name := range []string{"database", "redis", "minio", "ollama"} {
			all[i] = c.Definition(name)
		}
		return all
	}
	same := definitions()
	for _, v := range []string{
		"DATABASE_PASSWORD=x", "DATABASE_MIGRATION_URL=postgres://m:p@h/d", "DATABASE_PROBE_INTERVAL=9s", "DATABASE_READINESS_GRACE=9s",
		"DATABASE_PROBE_FAILURE_THRESHOLD=5", "MINIO_SECRET_KEY=x", "MINIO_ACCESS_KEY=x", "REDIS_PASSWORD=x",
		"OLLAMA_HOST=u:other@ollama", "HEALTH_TOKEN=x", "LOG_LEVEL=debug", "HEALTH_SERVICES=database",
	} {
		if definitions(v) != same {
			t.Errorf("%s makes another service of one", v)
		}
	}
	for i, vars := range [4][]string{
		{
			"DATABASE_HOST=other", "DATABASE_PORT=1", "DATABASE_NAME=x", "DATABASE_USER=x", "DATABASE_SSLMODE=disable",
			"DATABASE_ALLOW_REPLICA=on", "DATABASE_SCHEMA_CHECK=off", "DATABASE_READINESS=startup", "ENVIRONMENT=production",
		},
		{"REDIS_HOST=x", "REDIS_PORT=1", "REDIS_DB=1", "REDIS_TLS=on", "REDIS_READINESS=strict"},
		{"MINIO_ENDPOINT=x:1", "MINIO_SECURE=on", "MINIO_BUCKETS=abc", "MINIO_READINESS=strict"},
		{"OLLAMA_HOST=x", "OLLAMA_PORT=1", "OLLAMA_REQUIRED_MODELS=x", "OLLAMA_READINESS=strict"},
	} {
		for _, v := range vars {
			changed := definitions(v)
			for j := range changed {
				if (changed[j] != same[j]) != (i == j) {
					t.Errorf("%s: definition %d changed: %t", v, j, changed[j] != same[j])
				}
			}
		}
	}
	other := definitions("POD_UID=b")
	for i := range other {
		if other[i] == same[i] {
			t.Errorf("definition %d is the same in another Pod", i)
		}
	}
	c, _ := load(t, base...)
	if c.Definition("database", "schema", "1") == c.Definition("database", "schema", "2") {
		t.Error("a fact changes nothing")
	}
}

func TestDatabaseSSLMode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		environ []string
		want    string
	}{
		{nil, "prefer"},
		{[]string{"ENVIRONMENT=staging"}, "prefer"},
		{[]string{"ENVIRONMENT=production"}, "require"},
		{[]string{"ENVIRONMENT=production", "DATABASE_SSLMODE=disable"}, "disable"},
		{[]string{"ENVIRONMENT=production", "DATABASE_SSLROOTCERT=/ca"}, "verify-full"},
		{[]string{"DATABASE_SSLROOTCERT=/ca"}, "verify-full"},
		{[]string{"DATABASE_SSLROOTCERT=/ca", "DATABASE_SSLMODE=verify-ca"}, "verify-ca"},
		{[]string{"ENVIRONMENT=production", "DATABASE_HOST=/tmp"}, "disable"},
	}
	for _, tt := range tests {
		c, _ := load(t, tt.environ...)
		if got := database(c).EffectiveSSLMode(c.Health.Environment); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.environ, got, tt.want)
		}
	}
}

func TestOllamaBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ host, port, want string }{
		{"", "", "http://localhost:11434"},
		{"ollama", "", "http://ollama:11434"},
		{"ollama", "8080", "http://ollama:8080"},
		{"ollama:8080", "1", "http://ollama:8080"},
		{":8080", "", "http://127.0.0.1:8080"},
		{"0.0.0.0", "", "http://127.0.0.1:11434"},
		{"[::]:8080", "", "http://[::1]:8080"},
		{"::1", "", "http://[::1]:11434"},
		{"[::1]", "", "http://[::1]:11434"},
		{"http://ollama", "", "http://ollama"},
		{"https://ollama", "", "https://ollama"},
		{"http://[::1]", "", "http://[::1]"},
		{"https://ollama", "8443", "https://ollama:8443"},
		{"https://ollama:443", "8443", "https://ollama:443"},
		{"https://u:p%2Fw@ollama:1/sub/", "", "https://u:p%2Fw@ollama:1/sub"},
		{"ollama:1/sub", "", "http://ollama:1/sub"},
		{"ollama", "tcp://10.0.0.7:1", "http://ollama:11434"},
	}
	for _, tt := range tests {
		c, _ := load(t, "OLLAMA_HOST="+tt.host, "OLLAMA_PORT="+tt.port)
		if got, err := ollamaOf(c).BaseURL(); err != nil || got.String() != tt.want {
			t.Errorf("%s and %s: %v, %v; want %s", tt.host, tt.port, got, err, tt.want)
		}
	}
	if u, err := (&ollama.Settings{Host: "http://["}).BaseURL(); err == nil {
		t.Errorf("made %v of a bad host", u)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	for name, want := range levels {
		if c, _ := load(t, "LOG_LEVEL="+name); c.Health.Level() != want {
			t.Errorf("%s is %v", name, c.Health.Level())
		}
	}
	tests := []struct {
		format         string
		terminal, want bool
	}{{"auto", true, false}, {"auto", false, true}, {"json", true, true}, {"text", false, false}}
	for _, tt := range tests {
		if c, _ := load(t, "LOG_FORMAT="+tt.format); c.Health.LogJSON(tt.terminal) != tt.want {
			t.Errorf("%s, terminal %t: JSON is %t", tt.format, tt.terminal, !tt.want)
		}
	}
}

func TestForMigration(t *testing.T) {
	t.Parallel()
	base := []string{"DATABASE_HOST=pooler", "DATABASE_PORT=6432", "DATABASE_USER=app", "DATABASE_PASSWORD=app-password", "DATABASE_SSLMODE=require"}
	for url, want := range map[string]string{
		"": "pooler 6432 reims app app-password require",
		"postgres://migrator:m%40ster@pg.internal:5433/estate?sslmode=verify-full&sslrootcert=/ca": "pg.internal 5433 estate migrator m@ster verify-full",
		"postgresql://migrator@pg":         "pg 5432 reims migrator  require",
		"postgres://app@[::1]/":            "::1 5432 reims app app-password require",
		"postgres://pg:5433":               "pg 5433 reims app app-password require",
		"postgres:///other?sslmode=PREFER": "pooler 6432 other app app-password prefer",
		"postgres://:only-password@pg":     "pg 5432 reims app only-password require",
	} {
		for _, given := range []string{"DATABASE_MIGRATION_URL=" + url, "DATABASE_MIGRATION_URL_FILE=" + writeFile(t, url+"\n")} {
			if url == "" {
				given = ""
			}
			c, _ := load(t, append([]string{given}, base...)...)
			d, err := database(c).ForMigration("DATABASE_")
			if err != nil {
				t.Errorf("%s: %v", given, err)
				continue
			}
			got := strings.Join([]string{d.Host, strconv.Itoa(d.Port), d.Name, d.User, read(t, d.Password), d.EffectiveSSLMode(c.Health.Environment)}, " ")
			if got != want {
				t.Errorf("%s: got %s, want %s", given, got, want)
			}
			if database(c).Host != "pooler" {
				t.Error("the configuration itself was changed")
			}
			if redacted := c.Redactor().Redact(read(t, d.Password)); redacted != "" && redacted != "[redacted]" {
				t.Errorf("%s: the password is shown as %s", given, redacted)
			}
		}
	}
}

func TestMigrationURLRefused(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"pg.internal:5432":                    "does not begin with postgres://",
		"mysql://u:hidden-pw@pg/x":            "does not begin with postgres://",
		"postgres://u:hidden-pw@a,b/x":        "has not one host",
		"postgres://u:hidden-pw@pg:99999/x":   "a port from 1 to 65535",
		"postgres://u:hidden-pw%zz@pg/x":      "%40 for @",
		"postgres://u:hidden-pw@pg/x/y":       "more than the name",
		"postgres://u:hidden-pw@pg/x?user=y":  "no other key",
		"postgres://u:hidden-pw@pg?sslmode=y": `"y" is none of disable`,
	} {
		_, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, Environ: []string{"DATABASE_MIGRATION_URL=" + url}})
		wantProblem(t, err, "DATABASE_MIGRATION_URL: ", want)
		c, _ := load(t, "DATABASE_MIGRATION_URL_FILE="+writeFile(t, url))
		_, err = database(c).ForMigration("DATABASE_")
		wantProblem(t, err, "DATABASE_MIGRATION_URL_FILE: ", want)
	}
	c, _ := load(t, "DATABASE_MIGRATION_URL_FILE=/absent/url")
	var wrong *config.Error
	if _, err := database(c).ForMigration("DATABASE_"); err == nil || errors.As(err, &wrong) || !strings.Contains(err.Error(), "/absent/url") {
		t.Errorf("a file that is missing: %v", err)
	}
}

func wantProblem(t *testing.T, err error, variable, text string) {
	t.Helper()
	var wrong *config.Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s%s", err, variable, text)
	}
	if err != nil && strings.Contains(err.Error(), "hidden") {
		t.Errorf("a password is shown: %v", err)
	}
}

// The page shows operators more than everybody only where HEALTH_PAGE_DETAILS is more.
func TestPageShown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ details, page, all, operators string }{
		{"full", "", "full", "full"},
		{"safe", "", "safe", "safe"},
		{"off", "", "off", "off"},
		{"full", "full", "full", "full"},
		{"full", "safe", "safe", "safe"},
		{"full", "off", "off", "off"},
		{"safe", "full", "safe", "full"},
		{"safe", "safe", "safe", "safe"},
		{"safe", "off", "off", "off"},
		{"off", "full", "off", "full"},
		{"off", "safe", "off", "safe"},
		{"off", "off", "off", "off"},
	} {
		all, operators := config.Health{Details: test.details, PageDetails: test.page}.PageShown()
		if all != test.all || operators != test.operators {
			t.Errorf("%s with a page of %q: %s and %s, want %s and %s", test.details, test.page, all, operators, test.all, test.operators)
		}
	}
}
