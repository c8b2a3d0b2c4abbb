// Command run starts real servers and the sidecar on loopback, tells what the
// sidecar says of them, and stops all of it when it is interrupted:
//
//	run PROGRAM
//
// PostgreSQL, Redis and the sidecar come first. MinIO and Ollama are built while these
// run, if this user has none of them yet, and join. HEALTH_SERVICES narrows it, and every
// other variable of the product counts as well, such as DATABASE_PROBE_INTERVAL.
//
// While it runs, the same program breaks and repairs a server of it, from another terminal
// in the same folder:
//
//	run stop|start|freeze|thaw SERVER
package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

func main() {
	command.Main("run", func(ctx context.Context) error { return run(ctx, os.Args[1:]) })
}

// live is the folder of what runs, below the current one: make is called at the root of
// the repository.
const live = ".run/live"

func run(ctx context.Context, args []string) (err error) {
	switch {
	case len(args) == 2 && isVerb(args[0]):
		return send(ctx, os.Stdout, args[0], args[1])
	case len(args) != 1 || isVerb(args[0]):
		return command.Usage("run PROGRAM, or, while make run runs in this folder: run stop|start|freeze|thaw postgres|redis|minio|ollama")
	}
	dir, err := filepath.Abs(live)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	defer listener.Close()
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
	if err := servers.WriteEnv(filepath.Join(live, "servers.env"), variables(set)); err != nil {
		return err
	}
	err = start(ctx, progress, newControl(listener, set, progress.Say), args[0])
	if ctx.Err() != nil {
		return nil // interrupted, as is the way to end it
	}
	return err
}

func start(ctx context.Context, progress *install.Progress, c *control, program string) error {
	quick, slow := split(c.set)
	group, running := errgroup.WithContext(ctx)
	for _, s := range quick {
		group.Go(func() error { return c.started(s, s.Start(running)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := migrate(ctx, progress, program, quick); err != nil {
		return err
	}
	sidecar, err := launch(progress, program, c.set)
	if err != nil {
		return err
	}
	group, running = errgroup.WithContext(ctx)
	group.Go(func() error { return sidecar.wait(running) })
	group.Go(func() error { return sidecar.report(running, c) })
	group.Go(func() error { return c.serve(running) })
	group.Go(func() error { return join(running, progress, c, slow) })
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
func join(ctx context.Context, progress *install.Progress, c *control, slow []servers.Server) error {
	var left []string
	for _, s := range slow {
		left = append(left, s.Name())
	}
	for i, s := range slow {
		if _, err := install.Program(ctx, progress, s.Name(), left[i+1:]...); err != nil {
			return err
		}
		if err := c.started(s, s.Start(ctx)); err != nil {
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
