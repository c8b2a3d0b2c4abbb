// Command servers starts and stops real PostgreSQL, Redis, MinIO and Ollama for
// development, on free ports of 127.0.0.1, with their data in .run:
//
//	servers up      start them; write .run/servers.env with the product's variables
//	servers down    stop what up started, and nothing else
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers"
)

const errUsage = command.Usage("go run ./hack/servers up | down")

func main() {
	command.Main("servers", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) })
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
