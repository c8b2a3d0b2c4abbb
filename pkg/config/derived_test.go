package config_test

import (
	"log/slog"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/ollama"
)

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
