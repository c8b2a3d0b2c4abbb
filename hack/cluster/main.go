package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/reims/reims-health/hack/command"
)

const errUsage = command.Usage("go run ./hack/cluster up [--owner=PID] | down | build | exec [--] COMMAND… | import FILE…")

var errRoot = errors.New("a cluster needs root, for its namespaces and cgroups: run it with sudo, or set E2E_KUBECONFIG to use a cluster that you have")

func main() {
	if isNode(os.Args) { // with the signals left as they are
		if err := node(os.Args[0]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	command.Main("cluster", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) })
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
