package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

var (
	errUsage = errors.New("usage: go run ./hack/cluster up | down | build | exec [--] COMMAND… | import FILE…")
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
	command, args := args[0], args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	commands := map[string]struct {
		takes bool // arguments
		do    func() error
	}{
		"up":     {false, func() error { return up(ctx, out) }},
		"down":   {false, func() error { return down(out) }},
		"build":  {false, func() error { return build(ctx, out) }},
		"exec":   {true, func() error { return execute(args) }},
		"import": {true, func() error { return importImages(ctx, args...) }},
	}
	c, ok := commands[command]
	if !ok || c.takes != (len(args) > 0) {
		return errUsage
	}
	if os.Geteuid() != 0 {
		return errRoot
	}
	return c.do()
}
