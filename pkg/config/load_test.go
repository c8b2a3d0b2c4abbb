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
	c, warnings, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, Environ: environ})
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
	for _, v := range config.Variables(registry.Kinds().Services()) {
		empty = append(empty, v.Name+"=")
	}
	for name, environ := range map[string][]string{"none": nil, "all empty": empty} {
		c, warnings := load(t, environ...)
		if diff := cmp.Diff(config.Default(registry.Kinds().Services()).Settings(), c.Settings()); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %v, settings differ from the default:\n%s", name, warnings, diff)
		}
	}
}

func TestDefaultsOfTheContract(t *testing.T) {
	t.Parallel()
	c := config.Default(registry.Kinds().Services())
	ignored := func(interval, timeout time.Duration) config.Probe {
		return config.Probe{Interval: interval, Timeout: timeout, FailureThreshold: 2, SuccessThreshold: 1, ConnectionLifetime: time.Minute, Readiness: "ignore", SharedFault: "hold"}
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
		{"HEALTH_PAGE_DETAILS", "FULL", "full"},
		{"HEALTH_ALLOWED_ORIGINS", "https://Grafana.example:443,http://localhost:3000", "https://grafana.example,http://localhost:3000"},
		{"HEALTH_ALLOWED_ORIGINS", "https://[::1]:443", "https://[::1]"},
		{"HEALTH_ALLOWED_ORIGINS", "*", "*"},
		{"HEALTH_DOCS_URL", "https://docs.example:8443/reims-health/", "https://docs.example:8443/reims-health"},
		{"HEALTH_DOCS_URL", "off", "off"},
		{"HEALTH_OVERRIDE_FILE", "/etc/reims/override", "/etc/reims/override"},
		{"LOG_LEVEL", "WARN", "warn"},
		{"LOG_LEVEL", "WARNING", "warn"},
		{"LOG_LEVEL", "Critical", "error"},
		{"LOG_LEVEL", "fatal", "error"},
		{"MINIO_REGION", "my_region.2", "my_region.2"},
		{"REDIS_TLS", "1", "on"},
		{"REDIS_TLS", "YES", "on"},
		{"MINIO_PATH_STYLE", "0", "off"},
		{"DATABASE_APP_CONNECTIONS", "No", "off"},
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
		Services: registry.Kinds().Services(), Named: registry.Kinds().Named,
		Environ: []string{"REDIS_HOST=first", "REDIS_HOST=second", "REDIS_PORT=tcp://10.0.0.7:6379", "DATABASE_HOST=", "bad entry"},
		EnvFile: file,
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
	_, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: name})
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
	c, warnings, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: writeFile(t, strings.Join(lines, "\n"))})
	if err != nil || len(warnings) > 0 || set < len(config.Variables(registry.Kinds().Services())) {
		t.Fatalf("%d variables, warnings %v, error %v", set, warnings, err)
	}
	for i, want := range config.Default(registry.Kinds().Services()).Settings() {
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

func TestMisspelt(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"REDIS_HSOT":               "REDIS_HOST",
		"REDIS_PASSWORT":           "REDIS_PASSWORD",
		"REDIS_PASSWORD_FIEL":      "REDIS_PASSWORD_FILE",
		"REDIS_PASS":               "REDIS_PASSWORD",
		"REDIS_USER":               "REDIS_USERNAME",
		"DATABASE_USERNAME":        "DATABASE_USER",
		"DATABASE_SSL_MODE":        "DATABASE_SSLMODE",
		"DATABASE_PROBE_INTERVALL": "DATABASE_PROBE_INTERVAL",
		"DATABSE_HOST":             "DATABASE_HOST",
		"HEALTH_SERVICE":           "HEALTH_SERVICES",
		"health_services":          "HEALTH_SERVICES",
		"MINIO_BUCKET":             "MINIO_BUCKETS",
		"OLLAMA_REQIURED_MODELS":   "OLLAMA_REQUIRED_MODELS",
		"LOG_LEVELL":               "LOG_LEVEL",
	}
	for name, meant := range tests {
		_, warnings := load(t, name+"=1")
		want := []config.Problem{{Variable: name, Text: "not a variable of reims-health, so it has no effect: did you mean " + meant + "?"}}
		if diff := cmp.Diff(want, warnings); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Variables of other programs, as they stand in the environments of our users.
func TestNotMisspelt(t *testing.T) {
	t.Parallel()
	names := []string{
		"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "PGHOST", "PGPASSWORD", "DB_HOST",
		"OLLAMA_MODELS", "OLLAMA_ORIGINS", "OLLAMA_KEEP_ALIVE", "OLLAMA_NUM_PARALLEL", "OLLAMA_DEBUG",
		"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_BROWSER", "MINIO_REGION", "MINIO_VOLUMES",
		"REDIS_CERT", "REDIS_SERVICE_HOST", "REDIS_SERVICE_PORT", "REDIS_SERVICE_PORT_REDIS",
		"REDIS_PORT_6379_TCP", "REDIS_PORT_6379_TCP_ADDR", "REDIS_PORT_6379_TCP_PROTO", "DATABASE_PORT_5432_TCP_PORT",
		"MINIO_PORT", "MINIO_SERVICE_HOST", "DATABASE_POOL_SIZE", "API_HOST", "API_PORT", "LOG_DIR", "LOG_FILE",
		"HOSTNAME", "HOME", "PATH", "SHELL", "USER", "HTTP_PROXY", "no_proxy", "KUBERNETES_PORT", "KUBERNETES_SERVICE_HOST",
		"ENV", "DEBUG", "NODE_ENV", "JWT_SECRET_KEY", "SECRET_KEY", "AWS_ACCESS_KEY_ID", "GOMEMLIMIT", "HEALTH_PORT",
		"HOST_IP", "NODE_NAME", "NAMESPACE", "POD_SERVICE_ACCOUNT", "HEALTH_READINESS",
	}
	for _, name := range names {
		if _, warnings := load(t, name+"=1"); len(warnings) > 0 {
			t.Errorf("false alarm: %v", warnings)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		environ []string
		want    string // the variable that is warned of, or ""
	}{
		{[]string{"HEALTH_TOKEN=long-enough"}, "HEALTH_TOKEN"},
		{[]string{"HEALTH_TOKEN=long-enough", "HEALTH_DETAILS=off"}, "HEALTH_TOKEN"},
		{[]string{"HEALTH_TOKEN=long-enough", "HEALTH_DETAILS=safe"}, ""},
		{[]string{"HEALTH_TOKEN_FILE=/token"}, "HEALTH_TOKEN"},
		{[]string{"HEALTH_TOKEN=long-enough", "HEALTH_DETAILS=off", "HEALTH_PAGE_DETAILS=safe"}, ""},
		{[]string{"HEALTH_TOKEN=long-enough", "HEALTH_DETAILS=off", "HEALTH_PAGE_DETAILS=off"}, "HEALTH_TOKEN"},
		{[]string{"HEALTH_TOKEN=long-enough", "HEALTH_PAGE_DETAILS=safe"}, "HEALTH_TOKEN"},
		{[]string{"HEALTH_PAGE=off", "HEALTH_PAGE_DETAILS=full"}, "HEALTH_PAGE_DETAILS"},
		{[]string{"HEALTH_PAGE=false", "HEALTH_PAGE_DETAILS=safe"}, "HEALTH_PAGE_DETAILS"},
		{[]string{"HEALTH_PAGE=off"}, ""},
		{[]string{"HEALTH_PAGE_DETAILS=safe"}, ""},
		{[]string{"HEALTH_DETAILS=safe"}, ""},
		{[]string{"REDIS_USERNAME=app"}, "REDIS_USERNAME"},
		{[]string{"REDIS_USERNAME=app", "REDIS_PASSWORD_FILE=/p"}, ""},
		{[]string{"REDIS_PASSWORD=long-enough\n"}, "REDIS_PASSWORD"},
		{[]string{"REDIS_PASSWORD=abc"}, "REDIS_PASSWORD"},
		{[]string{"REDIS_PASSWORD=\ufefflong-enough"}, "REDIS_PASSWORD"},
		{[]string{"REDIS_PASSWORD='long-enough'"}, "REDIS_PASSWORD"},
		{[]string{"REDIS_PASSWORD=bG9uZy1lbm91Z2g="}, "REDIS_PASSWORD"},
		{[]string{"DATABASE_MIGRATION_URL=postgres://db\n"}, ""},
		{[]string{"OLLAMA_HOST=a:1", "OLLAMA_PORT=2"}, "OLLAMA_PORT"},
		{[]string{"OLLAMA_HOST=a:1", "OLLAMA_PORT=1"}, ""},
		{[]string{"OLLAMA_HOST=http://a", "OLLAMA_PORT=2"}, ""},
		{[]string{"DATABASE_PORT=tcp://10.0.0.7:5432"}, "DATABASE_PORT"},
		{[]string{"OLLAMA_PORT=udp://10.0.0.7:11434"}, "OLLAMA_PORT"},
		{[]string{"DATABASE_HOST_FILE=/x"}, "DATABASE_HOST_FILE"},
		{[]string{"DATABASE_PASS=x"}, "DATABASE_PASS"},
		{[]string{"DATABASE_PASS=x", "DATABASE_PASSWORD=long-enough"}, ""}, // somebody else's
	}
	for _, tt := range tests {
		_, warnings := load(t, tt.environ...)
		got := make([]string, 0, 1)
		for _, w := range warnings {
			got = append(got, w.Variable)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q: warnings %v, want one of %q", tt.environ, warnings, tt.want)
		}
	}
}

// Loading is part of the time to the first answer.
func BenchmarkLoad(b *testing.B) {
	environ := []string{"DATABASE_HOST=db", "DATABASE_PASSWORD=given-value", "REDIS_HOST=redis", "MINIO_ENDPOINT=minio:9000", "MINIO_ACCES_KEY=x"}
	for b.Loop() {
		if _, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, Environ: environ}); err != nil {
			b.Fatal(err)
		}
	}
}
