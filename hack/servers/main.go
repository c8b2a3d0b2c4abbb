// Command servers starts and stops real PostgreSQL, Redis, MinIO and Ollama for
// development, on free ports of 127.0.0.1, with their data in .run:
//
//	servers up      start them; write .run/servers.env with the product's variables
//	servers down    stop what up started, and nothing else
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/reims/reims-health/test/servers"
)

var errUsage = errors.New("usage: go run ./hack/servers up | down")

func main() {
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
	if len(args) != 1 {
		return errUsage
	}
	root, err := servers.Root()
	if err != nil {
		return err
	}
	r := runner{dir: filepath.Join(root, ".run"), out: out}
	switch args[0] {
	case "up":
		return r.up(ctx)
	case "down":
		return r.down()
	}
	return errUsage
}
