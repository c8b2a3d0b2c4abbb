package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/dependency/s3"
)

// load reads an environment that must be good.
func load(t *testing.T, environ ...string) (*config.Config, []config.Problem) {
	t.Helper()
	c, warnings, err := config.Load(config.Options{Services: registry.Services(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

func read(t *testing.T, s config.Secret) string {
	t.Helper()
	value, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// writeFile returns the path of a new file.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEmptyEnvironmentIsDefault(t *testing.T) {
	t.Parallel()
	var empty []string
	for _, v := range config.Variables(registry.Services()) {
		empty = append(empty, v.Name+"=")
	}
	for name, environ := range map[string][]string{"none": nil, "all empty": empty} {
		c, warnings := load(t, environ...)
		if diff := cmp.Diff(config.Default(registry.Services()).Settings(), c.Settings()); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %v, settings differ from the default:\n%s", name, warnings, diff)
		}
	}
}

func TestDefaultsOfTheContract(t *testing.T) {
	t.Parallel()
	c := config.Default(registry.Services())
	ignored := func(interval, timeout time.Duration) config.Probe {
		return config.Probe{Interval: interval, Timeout: timeout, FailureThreshold: 2, SuccessThreshold: 1, Readiness: "ignore"}
	}
	strict := ignored(5*time.Second, 2*time.Second)
	strict.Readiness = "strict"
	want := []config.Probe{
		strict,
		ignored(5*time.Second, 2*time.Second),
		ignored(10*time.Second, 2*time.Second),
		ignored(10*time.Second, 5*time.Second),
	}
	if diff := cmp.Diff(want, []config.Probe{probeOf(c, "database"), probeOf(c, "redis"), probeOf(c, "minio"), probeOf(c, "ollama")}); diff != "" {
		t.Error(diff)
	}
	if got := read(t, minio(c).AccessKey) + ":" + read(t, minio(c).SecretKey); got != "minioadmin:minioadmin" {
		t.Errorf("MinIO credentials %s", got)
	}
	if database(c).Password.Given() || redisOf(c).Password.Given() {
		t.Error("a password has a default")
	}
}

// Each accepted spelling, and what it is shown as.
func TestAcceptedValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ variable, value, want string }{
		{"HEALTH_ADDR", "127.0.0.1:0", "127.0.0.1:0"},
		{"HEALTH_ADDR", "[::1]:8008", "[::1]:8008"},
		{"HEALTH_ADDR", ":9008", ":9008"}, // METRICS_ADDR moves, see below
		{"HEALTH_SERVICES", " redis , DATABASE", "redis,database"},
		{"HEALTH_DETAILS", "Safe", "safe"},
		{"HEALTH_ALLOWED_ORIGINS", "https://Grafana.example:443,http://localhost:3000", "https://grafana.example,http://localhost:3000"},
		{"HEALTH_ALLOWED_ORIGINS", "https://[::1]:443", "https://[::1]"},
		{"HEALTH_ALLOWED_ORIGINS", "*", "*"},
		{"HEALTH_OVERRIDE_FILE", "/etc/reims/override", "/etc/reims/override"},
		{"LOG_LEVEL", "WARN", "warn"},
		{"ENVIRONMENT", "Production\n", "production"},
		{"DATABASE_HOST", "fe80::1%eth0", "fe80::1%eth0"},
		{"DATABASE_HOST", "/var/run/postgresql", "/var/run/postgresql"},
		{"DATABASE_HOST", "my_db.internal.", "my_db.internal."},
		{"DATABASE_PORT", "05432", "5432"},
		{"DATABASE_NAME", "été 2", "été 2"},
		{"DATABASE_SSLMODE", "verify-ca", "verify-ca"},
		{"DATABASE_SCHEMA_CHECK", "off", "off"},
		{"DATABASE_APP_CONNECTIONS", "off", "off"},
		{"DATABASE_ALLOW_REPLICA", "TRUE", "on"},
		{"DATABASE_PROBE_INTERVAL", "90s", "1m30s"},
		{"DATABASE_PROBE_TIMEOUT", "1h", "1h"},
		{"DATABASE_PROBE_TIMEOUT", "100m", "1h40m"},
		{"DATABASE_PROBE_DEGRADED_LATENCY", "0", "0s"},
		{"DATABASE_PROBE_FAILURE_THRESHOLD", "1", "1"},
		{"DATABASE_READINESS_GRACE", "2m", "2m"},
		{"REDIS_DB", "15", "15"},
		{"MINIO_ENDPOINT", "minio", "minio"},
		{"MINIO_ENDPOINT", "[::1]:9000", "[::1]:9000"},
		{"MINIO_BUCKETS", "docs, reims.uploads", "docs,reims.uploads"},
		{"OLLAMA_REQUIRED_MODELS", "llama3,hf.co/bartowski/Llama-3.2:Q4_K_M", "llama3,hf.co/bartowski/Llama-3.2:Q4_K_M"},
		{"OLLAMA_INFERENCE_MODEL", "tiny:latest", "tiny:latest"},
	}
	for _, tt := range tests {
		environ := []string{tt.variable + "=" + tt.value}
		if tt.variable == "HEALTH_ADDR" {
			environ = append(environ, "METRICS_ADDR=:0")
		}
		c, warnings := load(t, environ...)
		if got := setting(c, tt.variable); got.Value != tt.want || got.Source != "environment" || len(warnings) > 0 {
			t.Errorf("%s=%q is %+v, warnings %v; want %q", tt.variable, tt.value, got, warnings, tt.want)
		}
	}
}

func setting(c *config.Config, variable string) config.Setting {
	for _, s := range c.Settings() {
		if s.Name == variable {
			return s
		}
	}
	return config.Setting{}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "REDIS_HOST=file\nREDIS_PORT=6380\nDATABASE_HOST=file\nDATABASE_NAME=\n")
	c, warnings, err := config.Load(config.Options{
		Services: registry.Services(),
		Environ:  []string{"REDIS_HOST=first", "REDIS_HOST=second", "REDIS_PORT=tcp://10.0.0.7:6379", "DATABASE_HOST=", "bad entry"},
		EnvFile:  file,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]config.Setting{
		"REDIS_HOST":    {Value: "first", Source: "environment"},
		"REDIS_PORT":    {Value: "6380", Source: "file " + file}, // a service link does not hide it
		"DATABASE_HOST": {Value: "file", Source: "file " + file}, // nor does an empty value
		"DATABASE_NAME": {Value: "reims", Source: "default"},
	}
	for name, w := range want {
		w.Name = name
		if diff := cmp.Diff(w, setting(c, name)); diff != "" {
			t.Error(diff)
		}
	}
	if len(warnings) != 1 || warnings[0].Variable != "REDIS_PORT" {
		t.Errorf("warnings %v, want one of REDIS_PORT", warnings)
	}
}

func TestMissingEnvFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "absent.env")
	_, _, err := config.Load(config.Options{Services: registry.Services(), EnvFile: name})
	want := "configuration: 1 problem\n  --env-file: open " + name + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// config/sample.env must say what Default does, and in a form that can be read.
func TestSampleEnvIsDefault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../config/sample.env")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	set := 0
	for i, line := range lines {
		if len(line) > 1 && line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z' {
			lines[i] = line[1:]
			set++
		}
	}
	c, warnings, err := config.Load(config.Options{Services: registry.Services(), EnvFile: writeFile(t, strings.Join(lines, "\n"))})
	if err != nil || len(warnings) > 0 || set < len(config.Variables(registry.Services())) {
		t.Fatalf("%d variables, warnings %v, error %v", set, warnings, err)
	}
	for i, want := range config.Default(registry.Services()).Settings() {
		if got := c.Settings()[i]; got.Value != want.Value {
			t.Errorf("%s is %q, want %q", want.Name, got.Value, want.Value)
		}
	}
}

func settings[S any](c *config.Config, service string) S {
	s, err := c.Service(service)
	if err != nil {
		panic(err)
	}
	return s.Settings.(S)
}

func database(c *config.Config) *postgres.Settings {
	return settings[*postgres.Settings](c, "database")
}
func redisOf(c *config.Config) *redis.Settings   { return settings[*redis.Settings](c, "redis") }
func minio(c *config.Config) *s3.Settings        { return settings[*s3.Settings](c, "minio") }
func ollamaOf(c *config.Config) *ollama.Settings { return settings[*ollama.Settings](c, "ollama") }

func probeOf(c *config.Config, service string) config.Probe {
	s, err := c.Service(service)
	if err != nil {
		panic(err)
	}
	return s.Probe
}
