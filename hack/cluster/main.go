package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

var (
	errUsage = errors.New("usage: go run ./hack/cluster up [--owner=PID] | down | build | exec [--] COMMAND… | import FILE…")
	errRoot  = errors.New("a cluster needs root, for its namespaces and cgroups: run it with sudo, or set E2E_KUBECONFIG to use a cluster that you have")
)

func main() {
	if isNode(os.Args) {
		if err := node(os.Args[0]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	name, args := args[0], args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	commands := map[string]struct {
		takes func([]string) bool
		do    func() error
	}{
		"up":     {anOwner, func() error { return upFor(ctx, out, args) }},
		"down":   {none, func() error { return down(out) }},
		"build":  {none, func() error { return build(ctx, out) }},
		"exec":   {some, func() error { return execute(args) }},
		"import": {some, func() error { return importImages(ctx, args...) }},
	}
	c, ok := commands[name]
	if !ok || !c.takes(args) {
		return errUsage
	}
	if name != "build" && os.Geteuid() != 0 { // that one uses sudo, where it has to
		return errRoot
	}
	return c.do()
}

const ownerFlag = "--owner="

func none(args []string) bool { return len(args) == 0 }
func some(args []string) bool { return len(args) > 0 }
func anOwner(args []string) bool {
	return none(args) || len(args) == 1 && strings.HasPrefix(args[0], ownerFlag)
}

// upFor is up, for the owner that the arguments name.
func upFor(ctx context.Context, out io.Writer, args []string) (err error) {
	var owner process
	for _, arg := range args {
		pid, err := strconv.Atoi(strings.TrimPrefix(arg, ownerFlag))
		if err != nil {
			return errUsage
		}
		if owner, err = findProcess(pid); err != nil {
			return err
		}
	}
	return up(ctx, out, owner)
}
