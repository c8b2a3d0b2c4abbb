// Command install puts on the machine what other programs here need, and tells how far
// it is:
//
//	install run         what make run needs before it answers (HEALTH_SERVICES narrows it)
//	install test        what make test needs, MinIO and Ollama among it
//	install apiserver   a Kubernetes API server
//
// A command that follows, after --, runs at the same time, such as the compilation:
//
//	install run -- go build …
//
// It ends when both have ended; where the installation fails, the command ends at once.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers/install"
)

const errUsage = command.Usage("go run ./hack/install run | test | apiserver [-- COMMAND…]")

func main() {
	command.Main("install", func(ctx context.Context) error {
		err := run(ctx, os.Args[1:], os.Getenv("HEALTH_SERVICES"), os.Stdout)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	})
}

func run(ctx context.Context, args []string, services string, out io.Writer) error {
	var command []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, command = args[:i], args[i+1:]
		if len(command) == 0 {
			return errUsage
		}
	}
	if len(args) != 1 {
		return errUsage
	}
	p := install.To(out)
	var work func(context.Context) error
	switch args[0] {
	case "run":
		servers, err := install.Servers(services)
		if err != nil {
			return err
		}
		work = func(ctx context.Context) error { return install.For(ctx, p, slices.DeleteFunc(servers, isBuilt)...) }
	case "test":
		work = func(ctx context.Context) error { return install.ForTests(ctx, p) }
	case "apiserver":
		work = func(ctx context.Context) error { return install.ForAPIServer(ctx, p) }
	default:
		return errUsage
	}
	return both(ctx, work, func(ctx context.Context) error { return execute(ctx, p, command) })
}

func isBuilt(server string) bool { return !install.Quick(server) }

// both runs the installation and the command at the same time, and waits for both. An
// installation that fails ends the command. The reverse leaves the installation alone:
// one that is broken off leaves packages half configured.
func both(ctx context.Context, installation, command func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wait      sync.WaitGroup
		installed error
	)
	wait.Go(func() {
		if installed = installation(ctx); installed != nil {
			cancel()
		}
	})
	err := command(inner)
	wait.Wait()
	if installed != nil && inner.Err() != nil && errors.Is(err, inner.Err()) {
		err = nil // ended by us
	}
	return errors.Join(installed, err)
}

// execute runs the command, if there is one, and passes its lines on.
func execute(ctx context.Context, p *install.Progress, command []string) error {
	if len(command) == 0 {
		return nil
	}
	done := p.Compile()
	defer done()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = 2 * time.Second // its compilers may live on for a while, with its output open
	w := &lines{p: p}
	cmd.Stdout, cmd.Stderr = w, w
	err := cmd.Run()
	w.flush()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", command[0], ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// lines passes what is written on, line by line.
type lines struct {
	p    *install.Progress
	rest []byte
}

// Write implements [io.Writer].
func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(text), nil
		}
		l.p.Say(string(line))
		l.rest = rest
	}
}

func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.p.Say(string(l.rest))
		l.rest = nil
	}
}
