package readfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/pkg/readfile"
)

const limit = 2 << 10

func TestRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	write(t, full, limit)
	write(t, empty, 0)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(full, link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{full: limit, empty: 0, link: limit} {
		got, err := readfile.Regular(name, limit)
		if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("x"), want)) {
			t.Errorf("Regular(%s) = %d bytes, %v; want %d", name, len(got), err, want)
		}
	}
	if got, err := readfile.RegularNoFollow(full, limit); err != nil || len(got) != limit {
		t.Errorf("RegularNoFollow = %d bytes, %v; want %d", len(got), err, limit)
	}
	// Its reported size is 0.
	if got, err := readfile.Regular("/proc/self/status", 1<<20); err != nil || len(got) == 0 {
		t.Errorf("Regular(/proc/self/status) = %d bytes, %v", len(got), err)
	}
}

func TestRegularRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "pipe"), filepath.Join(dir, "large")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, large, limit+1)
	huge := filepath.Join(dir, "huge")
	write(t, huge, 0)
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Fatal(err)
	}
	linkToPipe := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, linkToPipe); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, problem string }{
		{pipe, "is not a regular file"}, // that has no writer
		{linkToPipe, "is not a regular file"},
		{dir, "is not a regular file"},
		{"/dev/zero", "is not a regular file"}, // endless
		{large, "is larger than 2 KiB"},
		{huge, "is larger than 2 KiB"},
	} {
		content, err := readfile.Regular(tt.name, limit)
		var e *readfile.Error
		if !errors.As(err, &e) || e.Name != tt.name || e.Problem != tt.problem || content != nil {
			t.Errorf("Regular(%s) = %d bytes, %v; want %q", tt.name, len(content), err, tt.problem)
		} else if want := tt.name + " " + tt.problem; err.Error() != want {
			t.Errorf("error = %q, want %q", err, want)
		}
	}
}

func TestRegularMissing(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for _, read := range []func(string, int64) ([]byte, error){readfile.Regular, readfile.RegularNoFollow} {
		if _, err := read(missing, limit); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
			t.Errorf("error = %v, want one that names the missing file", err)
		}
	}
}

func TestRegularNoFollowRefusesLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	write(t, file, 1)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	var e *readfile.Error
	if _, err := readfile.RegularNoFollow(link, limit); !errors.As(err, &e) || e.Problem != "is not a regular file" {
		t.Errorf("error = %v, want that it is not a regular file", err)
	}
}

func TestLimited(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("from a pipe"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := readfile.Limited(fmt.Sprintf("/dev/fd/%d", r.Fd()), limit); err != nil || string(got) != "from a pipe" {
		t.Errorf("Limited(pipe) = %q, %v", got, err)
	}
	var e *readfile.Error
	if _, err := readfile.Limited("/dev/zero", limit); !errors.As(err, &e) || e.Problem != "is larger than 2 KiB" {
		t.Errorf("Limited(/dev/zero): %v, want that it is larger than the limit", err)
	}
	if _, err := readfile.Limited(filepath.Join(t.TempDir(), "missing"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Limited(missing): %v, want ErrNotExist", err)
	}
}

func write(t *testing.T, name string, size int) {
	t.Helper()
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
		t.Fatal(err)
	}
}
