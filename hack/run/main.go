// Command run starts real servers and the sidecar on loopback, tells what the
// sidecar says of them, and stops all of it when it is interrupted:
//
//	run PROGRAM
//
// PostgreSQL, Redis and the sidecar come first. MinIO and Ollama are built while these
// run, if this user has none of them yet, and join. HEALTH_SERVICES narrows it, and every other variable of the product counts
// as well, such as DATABASE_PROBE_INTERVAL.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return errors.New("usage: run PROGRAM")
	}
	root, err := servers.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".run", "live")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	names, err := install.Servers(os.Getenv("HEALTH_SERVICES"))
	if err != nil {
		return err
	}
	progress := install.To(os.Stdout)
	set, err := servers.NewSet(servers.Options{Dir: dir, Progress: progress.Say})
	if err != nil {
		return err
	}
	set = slices.DeleteFunc(set, func(s servers.Server) bool { return !slices.Contains(names, s.Name()) })
	defer func() {
		progress.Say("Stopping everything.")
		err = errors.Join(err, closeAll(set))
	}()
	err = start(ctx, progress, set, args[0], dir)
	if ctx.Err() != nil {
		return nil // interrupted, as is the way to end it
	}
	return err
}

func start(ctx context.Context, progress *install.Progress, set []servers.Server, program, dir string) error {
	quick, slow := split(set)
	group, running := errgroup.WithContext(ctx)
	for _, s := range quick {
		group.Go(func() error { return s.Start(running) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := migrate(ctx, progress, program, quick); err != nil {
		return err
	}
	sidecar, err := launch(progress, program, filepath.Join(dir, "sidecar.log"), set)
	if err != nil {
		return err
	}
	group, running = errgroup.WithContext(ctx)
	group.Go(func() error { return sidecar.wait(running) })
	group.Go(func() error { return sidecar.report(running, len(slow) > 0) })
	group.Go(func() error { return join(running, progress, slow) })
	return group.Wait()
}

// split tells those that are installed in seconds from those that are built.
func split(set []servers.Server) (quick, slow []servers.Server) {
	for _, s := range set {
		if install.Quick(s.Name()) {
			quick = append(quick, s)
		} else {
			slow = append(slow, s)
		}
	}
	return quick, slow
}

// join builds and starts the servers, one after the other: each build takes all
// processors.
func join(ctx context.Context, progress *install.Progress, slow []servers.Server) error {
	var left []string
	for _, s := range slow {
		left = append(left, s.Name())
	}
	for i, s := range slow {
		if _, err := install.Program(ctx, progress, s.Name(), left[i+1:]...); err != nil {
			return err
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func closeAll(set []servers.Server) error {
	var errs []error
	for _, s := range set {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
