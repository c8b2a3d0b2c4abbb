package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
)

func TestSecretFile(t *testing.T) {
	t.Parallel()
	tests := []struct{ content, value string }{
		{"plain", "plain"},
		{"line\n", "line"},
		{"windows\r\n", "windows"},
		{"two\n\n", "two\n"},
		{"return\r", "return\r"},
		{" kept \t\n", " kept \t"},
		{"", ""},
		{"\n", ""},
		{"in\nthe\nmiddle", "in\nthe\nmiddle"},
		{"\xff\x00binary\n", "\xff\x00binary"},
	}
	for _, tt := range tests {
		file := writeFile(t, tt.content)
		c, warnings := load(t, "DATABASE_PASSWORD_FILE="+file)
		if got := read(t, c.Database.Password); got != tt.value || len(warnings) > 0 {
			t.Errorf("%q is %q, want %q; warnings %v", tt.content, got, tt.value, warnings)
		}
		if c.Database.Password.File() != file || !c.Database.Password.Given() {
			t.Errorf("file %q", c.Database.Password.File())
		}
	}
}

func TestSecretFileIsReadAnew(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "old-password\n")
	c, _ := load(t, "REDIS_PASSWORD_FILE="+file)
	if got := read(t, c.Redis.Password); got != "old-password" {
		t.Fatalf("got %q", got)
	}
	if err := os.WriteFile(file, []byte("new-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c.Redis.Password); got != "new-password" {
		t.Errorf("after the rotation: %q", got)
	}
	// An error about a login in flight may still hold the old one.
	if got := c.Redactor().Scrub("old-password, new-password"); got != "[redacted], [redacted]" {
		t.Errorf("scrubbed to %q", got)
	}
}

func TestSecretFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := map[string]string{ // path -> text
		dir + "/absent": "no such file or directory",
		dir:             "is not a regular file",
		writeFile(t, strings.Repeat("x", 64<<10+1)): "is larger than 64 KiB",
	}
	for path, want := range tests {
		c, _ := load(t, "MINIO_SECRET_KEY_FILE="+path)
		value, err := c.MinIO.SecretKey.Read()
		if err == nil || value != "" || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "read MINIO_SECRET_KEY_FILE: ") {
			t.Errorf("%s: %q, %v; want %s", path, value, err, want)
		}
	}
	c, _ := load(t, "MINIO_SECRET_KEY_FILE="+writeFile(t, strings.Repeat("x", 64<<10)))
	if got := read(t, c.MinIO.SecretKey); len(got) != 64<<10 {
		t.Errorf("read %d bytes of 64 KiB", len(got))
	}
}

// However a secret, or what holds it, is printed or marshalled, it stays hidden.
func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	c, _ := load(t, "DATABASE_PASSWORD="+canary)
	s := c.Database.Password
	var out bytes.Buffer
	type hidden struct{ s config.Secret } // fmt asks no method of an unexported field
	for _, value := range []any{s, &s, c, *c, c.Database, []config.Secret{s}, map[string]config.Secret{"s": s}, hidden{s}, &hidden{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		text, err := json.Marshal(value)
		out.Write(text)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value, "error", err)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
	}
	if strings.Contains(out.String(), canary[:11]) || strings.Contains(out.String(), fmt.Sprintf("%x", canary[:11])) {
		t.Errorf("shown in:\n%s", &out)
	}
	if got := fmt.Sprintf("%v %q %#v", s, s, s); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("printed as %s", got)
	}
	if text, err := json.Marshal(s); string(text) != `"[redacted]"` || err != nil {
		t.Errorf("marshalled to %s, %v", text, err)
	}
	if got := read(t, config.Secret{}); got != "" {
		t.Errorf("the zero value is %q", got)
	}
}
