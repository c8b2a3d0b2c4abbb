package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// runner starts and stops the servers whose data and state are in dir.
type runner struct {
	dir string
	out io.Writer
}

func (r runner) options() servers.Options {
	return servers.Options{
		Dir: r.dir, Detached: true,
		Progress: func(line string) { fmt.Fprintln(r.out, line) },
	}
}

func (r runner) envFile() string { return filepath.Join(r.dir, "servers.env") }

// up starts the servers unless they run. Either all four run when it returns, or
// it returns an error and none does.
func (r runner) up(ctx context.Context) error {
	if err := os.MkdirAll(r.dir, 0o711); err != nil {
		return err
	}
	s, err := openState(r.dir)
	if err != nil {
		return err
	}
	defer s.close()
	if s.allRunning() {
		fmt.Fprintln(r.out, "The servers are running already.")
		return r.show(s)
	}
	if err := s.stopAll(); err != nil {
		return err
	}
	if err := r.start(ctx, s); err != nil {
		return errors.Join(err, s.stopAll())
	}
	return r.show(s)
}

func (r runner) start(ctx context.Context, s *state) error {
	set, err := servers.NewSet(r.options())
	if err != nil {
		return err
	}
	if err := r.install(ctx, set); err != nil {
		return err
	}
	var env []servers.Var
	for _, server := range set {
		env = append(env, server.Env()...)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, server := range set {
		group.Go(func() error {
			if err := server.Start(ctx); err != nil {
				return err
			}
			return s.add(server)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return servers.WriteEnv(r.envFile(), env)
}

// install installs and builds what the servers need. They start at the same time, and
// two builds at the same time would be slower than one after the other.
func (r runner) install(ctx context.Context, set []servers.Server) error {
	names := make([]string, len(set))
	for i, s := range set {
		names[i] = s.Name()
	}
	return install.For(ctx, install.To(r.out), names...)
}

func (r runner) show(s *state) error {
	for _, e := range s.sorted() {
		fmt.Fprintf(r.out, "%-9s %s\n", e.Name, e.Endpoint)
	}
	_, err := fmt.Fprintf(r.out, "Their variables, passwords included: . %s\n", r.envFile())
	return err
}

// down stops what up started.
func (r runner) down() error {
	s, err := openState(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(r.out, "No servers are running.")
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close()
	names := s.running()
	if err := s.stopAll(); err != nil {
		return err
	}
	if err := os.Remove(r.envFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(names) == 0 {
		fmt.Fprintln(r.out, "No servers are running.")
		return nil
	}
	fmt.Fprintf(r.out, "Stopped %v. Their data is in %s.\n", names, r.dir)
	return nil
}
