package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// sample builds a static program of this module for a platform, in a folder of its
// own, and returns its path.
func sample(t *testing.T, arch string, env ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sample")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, "./stage")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return file
}

// pack runs the command, and returns the archive's path and what was shown.
func pack(t *testing.T, args ...string) (file, shown string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "image.oci.tar")
	var out bytes.Buffer
	if err := run(append(args, "-out", file), &out); err != nil {
		t.Fatal(err)
	}
	return file, out.String()
}

// open unpacks an archive and returns the index of what is in it.
func open(t *testing.T, file string) v1.ImageIndex {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files(t, file) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func files(t *testing.T, file string) map[string][]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string][]byte{}
	for in := tar.NewReader(f); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if found[header.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

// Neither the hour nor the folder nor the program's own time is in the archive.
func TestSameInputMakesTheSameBytes(t *testing.T) {
	t.Parallel()
	const created = "2026-11-22T01:02:03Z"
	one, two := sample(t, "amd64"), sample(t, "amd64")
	past := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(one, past, past); err != nil {
		t.Fatal(err)
	}
	read := func(binary, created string) []byte {
		file, _ := pack(t, "-binary", binary, "-name", "example.org/sample:1", "-created", created)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first := read(one, created)
	if !bytes.Equal(first, read(two, created)) {
		t.Error("two runs made different archives")
	}
	if !bytes.Equal(first, read(one, "2026-11-22T02:02:03+01:00")) {
		t.Error("the archive depends on the time zone")
	}
	if bytes.Equal(first, read(one, "2026-11-22T01:02:04Z")) {
		t.Error("the time of creation is not in the archive")
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	complete := []string{"-binary", "b", "-name", "n:1", "-out", "o"}
	for _, args := range [][]string{
		nil,
		complete[2:],
		complete[:4],
		{"-binary", "b", "-name", "example.org:5000/no-tag", "-out", "o"},
		append(complete, "more"),
		append(complete, "-created", "yesterday"),
		append(complete, "-arg", "NAME"),
		append(complete, "-sideways"),
	} {
		if err := run(args, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
}

func TestRefusesWhatWouldNotRun(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		sample(t, "amd64", "CGO_ENABLED=1"): "C library",
		script:                              "read what",
	} {
		out := filepath.Join(t.TempDir(), "out.tar")
		err := run([]string{"-binary", file, "-name", "n:1", "-out", out}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one on the %s", err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("and an archive is there")
		}
	}
}
