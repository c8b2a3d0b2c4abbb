package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/reims/reims-health/hack/image/rootfs"
)

// The folder holds what the archive's layer holds.
func TestStage(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "rootfs")
	if err := run([]string{folder, program}); err != nil {
		t.Fatal(err)
	}
	for _, want := range rootfs.Files("program", []byte("binary")) {
		path := filepath.Join(folder, want.Path)
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want.Content) {
			t.Errorf("%s: %v, or it has another content", want.Path, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want.Mode() {
			t.Errorf("%s: mode %s, want %s (%v)", want.Path, info.Mode(), want.Mode(), err)
		}
	}
	if err := run([]string{folder}); err == nil {
		t.Error("one argument is enough")
	}
}
