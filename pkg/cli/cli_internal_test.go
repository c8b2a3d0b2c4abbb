package cli

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"
)

// A command that writes to a pipe that nothing reads ends once it is told to.
func TestCommandsEndThoughNothingReadsThem(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"config"}, {"check", "--direct", "--help"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
			fill(t, w)
			ctx, cancel := context.WithCancel(t.Context())
			code := make(chan int, 1)
			var stderr bytes.Buffer
			go func() { code <- Run(ctx, registry.Kinds(), args, w, &stderr, Build{}) }()
			select {
			case <-code:
				t.Fatal("the pipe is not full")
			case <-time.After(200 * time.Millisecond):
			}
			cancel()
			select {
			case got := <-code:
				if got != exitFailed {
					t.Errorf("exit code %d, want %d", got, exitFailed)
				}
			case <-time.After(time.Minute):
				t.Error("still running a minute after its context ended")
			}
		})
	}
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	if err := w.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.Write(make([]byte, 4<<10)); err != nil {
			break
		}
	}
	for {
		if _, err := w.Write([]byte{0}); err != nil {
			break
		}
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}
