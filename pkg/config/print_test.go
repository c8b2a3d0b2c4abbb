package config_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	token, empty := writeFile(t, "the-token"), writeFile(t, "")
	c, _ := load(t,
		"ENVIRONMENT=production", "HEALTH_ALLOWED_ORIGINS=*", "HEALTH_DETAILS=safe", "HEALTH_TOKEN_FILE="+token,
		"DATABASE_PASSWORD=given-value", "DATABASE_NAME=it's", "REDIS_PASSWORD_FILE="+empty,
		"MINIO_SECRET_KEY_FILE=/absent/key", "OLLAMA_HOST=https://user:ollama-pw@ollama/api/")
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]bool)
	for line := range strings.Lines(out.String()) {
		lines[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, want := range []string{
		"ENVIRONMENT=production # environment",
		"HEALTH_ADDR=:8008 # default",
		"HEALTH_ALLOWED_ORIGINS='*' # environment",
		"HEALTH_TOKEN=[set] # HEALTH_TOKEN_FILE " + token,
		`DATABASE_NAME='it'\''s' # environment`,
		"DATABASE_PASSWORD=[set] # environment",
		"DATABASE_SSLMODE= # default",
		"DATABASE_PROBE_DEGRADED_LATENCY=0s # default",
		"REDIS_PASSWORD=[empty] # REDIS_PASSWORD_FILE " + empty,
		"MINIO_ACCESS_KEY=[set] # default",
		"MINIO_SECRET_KEY=[unreadable] # MINIO_SECRET_KEY_FILE /absent/key",
		"OLLAMA_HOST=https://[redacted]@ollama/api/ # environment",
		"# in effect: database_sslmode require",
		"# in effect: ollama_url https://[redacted]@ollama/api",
	} {
		if !lines[want] {
			t.Errorf("no line %q in:\n%s", want, &out)
		}
	}
	for _, secret := range []string{"given-value", "the-token", "ollama-pw", "minioadmin"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// Ollama takes an address with a password and no scheme.
func TestPrintHidesUserinfoWithoutAScheme(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"u:ollama-pw@h:1", "u:ollama-pw@h", "ollama-pw@h:1", "u:ollama-pw@[::1]:1", "u:p@ollama-pw@h"} {
		c, _ := load(t, "OLLAMA_HOST="+host)
		var out bytes.Buffer
		if err := c.Print(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "ollama-pw") {
			t.Errorf("OLLAMA_HOST=%s is shown with its password", host)
		}
	}
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	c, _ := load(t, "DATABASE_PASSWORD=given-value", "OLLAMA_HOST=http://u:ollama-pw@h:1")
	var out bytes.Buffer
	if err := c.PrintJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Settings  []config.Setting
		Effective map[string]string
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Settings(), got.Settings); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"database_sslmode": "prefer", "ollama_url": "http://[redacted]@h:1"}
	if diff := cmp.Diff(want, got.Effective); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(out.String(), "given-value") || strings.Contains(out.String(), "ollama-pw") {
		t.Errorf("a secret is shown: %s", &out)
	}
}
