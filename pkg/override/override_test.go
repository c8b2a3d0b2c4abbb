package override_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/override"
)

// breakGlass is an override file that is watched in a synctest bubble.
type breakGlass struct {
	t    *testing.T
	path string
	log  bytes.Buffer

	mu  sync.Mutex
	set []health.Override
}

func watchOverride(t *testing.T, content string) *breakGlass {
	t.Helper()
	b := &breakGlass{t: t, path: filepath.Join(t.TempDir(), "override")}
	if content != "" {
		b.write(content)
	}
	file := &override.File{Path: b.path, Log: slog.New(slog.NewTextHandler(&b.log, nil)), Set: func(o health.Override) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.set = append(b.set, o)
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- file.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return b
}

func (b *breakGlass) write(content string) {
	b.t.Helper()
	if err := os.WriteFile(b.path, []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// expect checks, a second later, what was set and how often a warning was logged
// since the start.
func (b *breakGlass) expect(when string, warnings int, want ...health.Override) {
	b.t.Helper()
	<-time.After(time.Second)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.set); diff != "" {
		b.t.Errorf("%s, set (-want +got):\n%s", when, diff)
	}
	if n := b.warnings(`level=WARN msg="override file ignored"`); n != warnings {
		b.t.Errorf("%s: %d warnings, want %d", when, n, warnings)
	}
}

// warnings counts the lines that hold a text. The watcher sleeps meanwhile.
func (b *breakGlass) warnings(text string) int { return strings.Count(b.log.String(), text) }

func TestOverrideFileIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ready, notReady, none = health.OverrideReady, health.OverrideNotReady, health.NoOverride
		b := watchOverride(t, "")
		b.expect("absent", 0)
		b.write("ready\n")
		b.expect("appears", 0, ready)
		b.write(" READY ")
		b.expect("says the same", 0, ready)
		b.write("not_ready")
		b.expect("changes", 0, ready, notReady)
		b.write("ready, please")
		b.expect("garbage is no override", 1, ready, notReady, none)
		b.expect("garbage is logged once", 1, ready, notReady, none)
		b.write("ready")
		b.expect("mended", 1, ready, notReady, none, ready)
		b.write("maybe")
		b.expect("garbage again is logged again", 2, ready, notReady, none, ready, none)
		b.write("")
		b.expect("empty", 2, ready, notReady, none, ready, none)
		b.write("not_ready")
		b.expect("back", 2, ready, notReady, none, ready, none, notReady)
		if err := os.Remove(b.path); err != nil {
			t.Fatal(err)
		}
		b.expect("removed", 2, ready, notReady, none, ready, none, notReady, none)
		if n := b.warnings(b.path); n != 2 {
			t.Errorf("%d warnings name the file, want 2", n)
		}
	})
}

func TestOverrideFileAtTheStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, content string
		warnings      int
		want          []health.Override
	}{
		{"ready", "ready", 0, []health.Override{health.OverrideReady}},
		{"not ready", "not_ready\n", 0, []health.Override{health.OverrideNotReady}},
		{"garbage", "yes", 1, nil},
		{"a large file", strings.Repeat("not_ready ", 1e5), 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				watchOverride(t, tt.content).expect(tt.name, tt.warnings, tt.want...)
			})
		})
	}
}

func TestOverrideFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := watchOverride(t, "ready")
		if err := os.Remove(b.path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(b.path, 0o700); err != nil {
			t.Fatal(err)
		}
		b.expect("a directory", 1, health.OverrideReady, health.NoOverride)
		if err := errors.Join(os.Remove(b.path), syscall.Mkfifo(b.path, 0o600)); err != nil {
			t.Fatal(err)
		}
		b.expect("a pipe, which would be waited for", 1, health.OverrideReady, health.NoOverride)
	})
}
