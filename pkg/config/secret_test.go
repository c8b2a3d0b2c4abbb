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
		if got := read(t, database(c).Password); got != tt.value || len(warnings) > 0 {
			t.Errorf("%q is %q, want %q; warnings %v", tt.content, got, tt.value, warnings)
		}
		if database(c).Password.File() != file || !database(c).Password.Given() {
			t.Errorf("file %q", database(c).Password.File())
		}
	}
}

func TestSecretFileIsReadAnew(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "old-password\n")
	c, _ := load(t, "REDIS_PASSWORD_FILE="+file)
	if got := read(t, redisOf(c).Password); got != "old-password" {
		t.Fatalf("got %q", got)
	}
	if err := os.WriteFile(file, []byte("new-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, redisOf(c).Password); got != "new-password" {
		t.Errorf("after the rotation: %q", got)
	}
	// An error about a login in flight may still hold the old one.
	if got := c.Redactor().Redact("old-password, new-password"); got != "[redacted], [redacted]" {
		t.Errorf("redacted to %q", got)
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
		value, err := minio(c).SecretKey.Read()
		if err == nil || value != "" || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "read MINIO_SECRET_KEY_FILE: ") {
			t.Errorf("%s: %q, %v; want %s", path, value, err, want)
		}
	}
	c, _ := load(t, "MINIO_SECRET_KEY_FILE="+writeFile(t, strings.Repeat("x", 64<<10)))
	if got := read(t, minio(c).SecretKey); len(got) != 64<<10 {
		t.Errorf("read %d bytes of 64 KiB", len(got))
	}
}

// However a secret, or what holds it, is printed or marshalled, it stays hidden.
func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	c, _ := load(t, "DATABASE_PASSWORD="+canary)
	s := database(c).Password
	var out bytes.Buffer
	type hidden struct{ s config.Secret } // fmt asks no method of an unexported field
	for _, value := range []any{s, &s, c, *c, database(c), []config.Secret{s}, map[string]config.Secret{"s": s}, hidden{s}, &hidden{s}} {
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

// A hint names the file, comes once for each content, and quotes nothing of it.
func TestSecretFileHints(t *testing.T) {
	t.Parallel()
	const bytes16le, bytes16be = "p\x00a\x00s\x00s\x00", "\x00p\x00a\x00s\x00s"
	tests := []struct{ content, want string }{ // want "" is no hint
		{"", "is empty"},
		{"\n", "is empty"},
		{"\r\n", "is empty"},
		{" \t\n", "nothing but white space"},
		{"\n\n", "nothing but white space"},
		{"\ufeffsecret-word\n", "byte order mark"},
		{"\ufeff\n", "byte order mark"},
		{"\xff\xfe" + bytes16le, "UTF-16"},
		{"\xfe\xff" + bytes16be, "UTF-16"},
		{"\xff\xfe" + bytes16le + "\r\x00\n\x00", "UTF-16"},
		{bytes16le, "UTF-16"},
		{bytes16be, "UTF-16"},
		{bytes16le + "\n\x00", "UTF-16"},
		{"\x00\x00\xfe\xff\x00\x00\x00p", "UTF-16"}, // UTF-32, which the advice is right for as well
		{"MINIO_SECRET_KEY=secret-word\n", "NAME=value"},
		{"export DB_PASSWORD=secret-word", "NAME=value"},
		{"API_TOKEN = 'secret-word'", "NAME=value"},
		{`{"username":"app","password":"secret-word"}`, "JSON"},
		{"{\n  \"password\": \"secret-word\"\n}\n", "JSON"},
		{"PASS=word", ""}, // a password may look so
		{"{secret-word}", ""},
		{"secret\x00", "NUL"},
		{"\x00", "NUL"},
		{"secret-word\n\n", "white space"},
		{"secret-word \n", "white space"},
		{"secret-word\r", "white space"},
		{"\u00a0secret-word", "white space"},
		{`"secret-word"` + "\n", "in quotes"},
		{"'secret-word'", "in quotes"},
		{"c2VjcmV0LXdvcmQ=\n", "base64"},
		{"c2VjcmV0LXdvcmQK", "base64"}, // with its line break
		{"secret-word", ""},
		{"secret-word\r\n", ""},
		{"sécrèt-wörd", ""},
		{"caf\xe9 au lait", ""}, // Latin-1
		{`"secret-word`, ""},
		{`"`, ""},
		{"abcd", ""}, // short base64
		{"correcthorsebattery1", ""},
		{"hunter2hunter2hunter2hun", ""},
		{"TtGIsuIWaGzQUhFfdhoBbFZ0C9pGvT2R", ""}, // openssl rand -base64 24
		{"4f1d9c0a5b7e4d2f8a6c3e1b9d7f5a30", ""}, // openssl rand -hex 16
	}
	for _, tt := range tests {
		file := writeFile(t, tt.content)
		c, _ := load(t, "MINIO_SECRET_KEY_FILE="+file)
		var hints []config.Problem
		c.OnSecretHint(func(p config.Problem) { hints = append(hints, p) })
		value := read(t, minio(c).SecretKey)
		read(t, minio(c).SecretKey)
		if tt.want == "" {
			if len(hints) > 0 {
				t.Errorf("%q: false alarm: %v", tt.content, hints)
			}
			continue
		}
		if len(hints) != 1 || hints[0].Variable != "MINIO_SECRET_KEY_FILE" ||
			!strings.Contains(hints[0].Text, file) || !strings.Contains(hints[0].Text, tt.want) {
			t.Errorf("%q: %v, want one hint: %s", tt.content, hints, tt.want)
			continue
		}
		if bare := strings.Trim(value, " \t\r\n\x00"); bare != "" && strings.Contains(hints[0].Text, bare) {
			t.Errorf("%q: %v shows the value", tt.content, hints)
		}
	}
}

func TestSecretFileHintsComeOncePerChange(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "")
	c, _ := load(t, "REDIS_PASSWORD_FILE="+file, "DATABASE_MIGRATION_URL_FILE="+writeFile(t, "postgres://db \n\n"))
	read(t, redisOf(c).Password) // before anybody wants to know
	var hints []string
	c.OnSecretHint(func(p config.Problem) { hints = append(hints, p.Text) })
	for _, content := range []string{"", "", "\ufeffa", "\ufeffb", "good-password", "good-password", ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		read(t, redisOf(c).Password)
	}
	if len(hints) != 4 {
		t.Errorf("%d hints, want 4: empty, twice a byte order mark, empty:\n%s", len(hints), strings.Join(hints, "\n"))
	}
	hints = nil
	if _, err := database(c).ForMigration("DATABASE_"); err != nil || len(hints) > 0 {
		t.Errorf("white space around a URL does not count: %v, %v", hints, err)
	}
}
