// Command run starts real servers and the sidecar on loopback, tells what the
// sidecar says of them, and stops all of it when it is interrupted:
//
//	run PROGRAM
//
// PostgreSQL, Redis and the sidecar come first; MinIO and Ollama join when they are
// built. HEALTH_SERVICES narrows it, and every other variable of the product counts
// as well, such as DATABASE_PROBE_INTERVAL.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/test/servers"
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
	set, err := servers.NewSet(servers.Options{Dir: dir, Progress: say})
	if err != nil {
		return err
	}
	set, err = narrow(set, os.Getenv("HEALTH_SERVICES"))
	if err != nil {
		return err
	}
	defer func() {
		say("Stopping everything.")
		err = errors.Join(err, closeAll(set))
	}()
	err = start(ctx, set, args[0], dir)
	if ctx.Err() != nil {
		return nil // interrupted, as is the way to end it
	}
	return err
}

func start(ctx context.Context, set []servers.Server, program, dir string) error {
	quick, slow := split(set)
	group, running := errgroup.WithContext(ctx)
	for _, s := range quick {
		group.Go(func() error { return s.Start(running) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := migrate(ctx, program, quick); err != nil {
		return err
	}
	sidecar, err := launch(program, filepath.Join(dir, "sidecar.log"), set)
	if err != nil {
		return err
	}
	group, running = errgroup.WithContext(ctx)
	group.Go(func() error { return sidecar.wait(running) })
	group.Go(func() error { return sidecar.report(running, len(slow) > 0) })
	group.Go(func() error { // one after the other: each build takes all processors
		for _, s := range slow {
			if err := s.Start(running); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

func closeAll(set []servers.Server) error {
	var errs []error
	for _, s := range set {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// say prints a line. One write a line keeps those of several goroutines apart.
func say(line string) { fmt.Fprintln(os.Stdout, line) }
