package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers/install"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"everything"}, {"run", "test"}, {"run", "--"}, {"--", "true"}} {
		if err := run(t.Context(), args, "", new(bytes.Buffer)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
	if err := run(t.Context(), []string{"run"}, "mysql", new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "HEALTH_SERVICES") {
		t.Errorf("a service that there is not: %v", err)
	}
}

// The command's lines come through, those of its errors too, and it fails what waits for
// it.
func TestCommand(t *testing.T) {
	t.Parallel()
	out := new(bytes.Buffer)
	if err := run(t.Context(), []string{"run", "--", "sh", "-c", "echo one; echo two >&2; printf rest"}, "", out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "one\ntwo\nrest\n" {
		t.Errorf("%q", got)
	}
	err := run(t.Context(), []string{"run", "--", "sh", "-c", "echo broken; exit 3"}, "", out)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out.String(), "broken\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Both run at the same time. An installation that fails ends the command, and only its
// own error is told; a command that fails leaves the installation alone.
func TestBoth(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	hangs := func(ctx context.Context) error {
		return execute(ctx, install.Lines(nil), []string{"sleep", "infinity"})
	}
	err := both(t.Context(), func(context.Context) error { return broken }, hangs)
	if !errors.Is(err, broken) || errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the error of the installation alone", err)
	}
	failed, installed := make(chan struct{}), false
	err = both(t.Context(),
		func(ctx context.Context) error { <-failed; installed = ctx.Err() == nil; return nil },
		func(context.Context) error { close(failed); return broken },
	)
	if !errors.Is(err, broken) || !installed {
		t.Errorf("got %v, installed %v", err, installed)
	}
}
