package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
)

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
		"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "PGHOST", "PGPASSWORD", "DATABASE_URL", "DB_HOST",
		"OLLAMA_MODELS", "OLLAMA_ORIGINS", "OLLAMA_KEEP_ALIVE", "OLLAMA_NUM_PARALLEL", "OLLAMA_DEBUG",
		"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_BROWSER", "MINIO_REGION", "MINIO_VOLUMES",
		"REDIS_URL", "REDIS_CERT", "REDIS_SERVICE_HOST", "REDIS_SERVICE_PORT", "REDIS_SERVICE_PORT_REDIS",
		"REDIS_PORT_6379_TCP", "REDIS_PORT_6379_TCP_ADDR", "REDIS_PORT_6379_TCP_PROTO", "DATABASE_PORT_5432_TCP_PORT",
		"MINIO_PORT", "MINIO_SERVICE_HOST", "DATABASE_POOL_SIZE", "API_HOST", "API_PORT", "LOG_DIR", "LOG_FILE",
		"HOSTNAME", "HOME", "PATH", "SHELL", "USER", "HTTP_PROXY", "no_proxy", "KUBERNETES_PORT", "KUBERNETES_SERVICE_HOST",
		"ENV", "DEBUG", "NODE_ENV", "JWT_SECRET_KEY", "SECRET_KEY", "AWS_ACCESS_KEY_ID", "GOMEMLIMIT", "HEALTH_PORT",
		"POD_IP", "HOST_IP", "NODE_NAME", "NAMESPACE", "POD_SERVICE_ACCOUNT", "HEALTH_READINESS",
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
