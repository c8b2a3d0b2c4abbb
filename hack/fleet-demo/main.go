//go:build e2e

// Command fleet-demo shows reims-health-fleet on this machine: a real API server, a farm of
// sidecars that answer from one process, and the program. It breaks things for a zone, for
// one Pod and for all, shows what kubectl and the page say, and measures how soon, and what
// the program costs. It runs in a network namespace of its own, as root: the Pods' addresses
// lead to the farm there.
//
//	go run -tags e2e ./hack/fleet-demo [-pods 200] bin/reims-health-fleet
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers/install"
)

func main() {
	pods := flag.Int("pods", 200, "how many Pods there are")
	missing := flag.Int("missing", -1, "measure an outage of all Pods alone, with so many `percent` of the Pods that refuse, are silent or slow")
	out := flag.String("out", "dist/fleet-demo", "the folder for the pictures")
	inside := flag.Bool("inside", false, "the network namespace is there already")
	flag.Parse()
	run := enter
	if *inside {
		run = show
	}
	command.Main("fleet-demo", func(ctx context.Context) error {
		if flag.NArg() != 1 || *pods < 1 || *missing > 49 {
			return command.Usage("go run -tags e2e ./hack/fleet-demo [-pods N] [-missing PERCENT] [-out FOLDER] PROGRAM")
		}
		err := run(ctx, flag.Arg(0), *pods, *missing, *out)
		if ctx.Err() != nil {
			err = nil // interrupted, as is the way to end it
		}
		return err
	})
}

// enter installs what is needed, and goes on in a network namespace in which every address
// of 10.0.0.0/8 is this machine's.
func enter(ctx context.Context, program string, pods, missing int, out string) error {
	if os.Geteuid() != 0 {
		return errors.New("a network namespace needs root: run it with sudo")
	}
	progress := install.To(os.Stdout)
	if err := install.Node(ctx, progress); err != nil {
		return err
	}
	for _, name := range []string{"kube-apiserver", "kubectl"} {
		if _, err := install.Program(ctx, progress, name); err != nil {
			return err
		}
	}
	if _, err := install.Chromium(ctx, progress); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	script := `ip link set lo up && ip route add local 10.0.0.0/8 dev lo && exec "$@"`
	cmd := exec.CommandContext(ctx, "unshare", "--net", "--", "sh", "-ec", script, "sh",
		self, "-inside", "-pods", strconv.Itoa(pods), "-missing", strconv.Itoa(missing), "-out", out, program)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
