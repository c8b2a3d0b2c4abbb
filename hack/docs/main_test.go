package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func TestDocumentsAreUpToDate(t *testing.T) {
	t.Parallel()
	stale, err := update("../..", registry.Kinds(), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("out of date: %v; run: go run ./hack/docs", stale)
	}
}

func TestUpdateWritesWhatIsStale(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var all []string
	for _, d := range documents(registry.Kinds()) {
		all = append(all, d.path)
	}

	if stale, err := update(root, registry.Kinds(), false); err != nil || !slices.Equal(stale, all) {
		t.Fatalf("check of an empty tree = %v, %v; want %v", stale, err, all)
	}
	if _, err := os.Stat(filepath.Join(root, all[0])); !os.IsNotExist(err) {
		t.Errorf("check wrote %s", all[0])
	}
	if stale, err := update(root, registry.Kinds(), true); err != nil || !slices.Equal(stale, all) {
		t.Fatalf("first update = %v, %v; want %v", stale, err, all)
	}
	if stale, err := update(root, registry.Kinds(), true); err != nil || len(stale) > 0 {
		t.Errorf("second update = %v, %v; want nothing to do", stale, err)
	}
	edit(t, filepath.Join(root, all[0]))
	stale, err := update(root, registry.Kinds(), false)
	if diff := cmp.Diff(all[:1], stale); diff != "" || err != nil {
		t.Errorf("check after an edit by hand: %v\n%s", err, diff)
	}
}

func edit(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(text, "by hand"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The references follow the kinds.
func TestReferencesFollowTheKinds(t *testing.T) {
	t.Parallel()
	rendered := map[string]string{}
	for _, d := range documents(append(registry.Kinds(), mail.Kind())) {
		var page bytes.Buffer
		if err := d.render(&page); err != nil {
			t.Fatal(err)
		}
		rendered[d.path] = page.String()
	}
	for path, want := range map[string][]string{
		"docs/configuration.md": {"\n## Mail\n", "\n| `MAIL_PORT` | `25` | 1 to 65535 |", "`database,redis,minio,ollama,mail`", "| `MAIL_PROBE_INTERVAL` |"},
		"docs/checks.md":        {"\n## Mail\n", "\n| `smtps://HOST[:PORT]` | The same after a TLS handshake. |"},
		"config/sample.env":     {"\n#MAIL_HOST=localhost\n", "\n#HEALTH_SERVICES=database,redis,minio,ollama,mail\n"},
		"docs/metrics.md":       {"\n| `reims_health_mail_message_max_bytes` | gauge |", "`ollama` or `mail`"},
		"hack/dashboards/kinds.json": {
			`"service": "mail",`, `"name": "reims_health_mail_message_max_bytes",`, `"title": "Largest message",`, `"unit": "bytes"`,
			"in bytes, where 0 is no limit. Empty where the server does not announce it.",
		},
	} {
		for _, text := range want {
			if !strings.Contains(rendered[path], text) {
				t.Errorf("%s does not contain %q", path, text)
			}
		}
	}
}
