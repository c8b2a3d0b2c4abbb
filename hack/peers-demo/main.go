// Command peers-demo shows how sidecars ask their peers: six of them on one machine, a
// PostgreSQL that dies for all, and a wire that is cut for one. It tells line by line what
// each decides, and fails when that is wrong. Its argument is the program.
//
//	go run ./hack/peers-demo bin/reims-health
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/reims/reims-health/test/servers"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/peers-demo PROGRAM")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1])
	interrupted := ctx.Err() != nil
	stop()
	if err != nil && !interrupted {
		fmt.Fprintln(os.Stderr, "peers-demo:", err)
		os.Exit(1)
	}
}

// run starts the server and the sidecars, shows everything, and leaves nothing behind.
func run(ctx context.Context, program string) error {
	progress := func(line string) { fmt.Println(line) }
	return servers.UsePostgres(ctx, progress, func(_ string, pg *servers.Postgres) error {
		f := &fleet{program: program, database: pg}
		defer f.close()
		if err := f.start(ctx, 6); err != nil {
			return err
		}
		return f.show(ctx)
	})
}
