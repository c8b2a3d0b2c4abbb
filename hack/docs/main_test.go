package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentsAreUpToDate(t *testing.T) {
	t.Parallel()
	stale, err := update("../..", false)
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
	for _, d := range documents() {
		all = append(all, d.path)
	}

	if stale, err := update(root, false); err != nil || !slices.Equal(stale, all) {
		t.Fatalf("check of an empty tree = %v, %v; want %v", stale, err, all)
	}
	if _, err := os.Stat(filepath.Join(root, all[0])); !os.IsNotExist(err) {
		t.Errorf("check wrote %s", all[0])
	}
	if stale, err := update(root, true); err != nil || !slices.Equal(stale, all) {
		t.Fatalf("first update = %v, %v; want %v", stale, err, all)
	}
	if stale, err := update(root, true); err != nil || len(stale) > 0 {
		t.Errorf("second update = %v, %v; want nothing to do", stale, err)
	}
	edit(t, filepath.Join(root, all[0]))
	stale, err := update(root, false)
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
