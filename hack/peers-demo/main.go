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

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers"
)

func main() {
	command.Main("peers-demo", func(ctx context.Context) error {
		if len(os.Args) != 2 {
			return command.Usage("go run ./hack/peers-demo PROGRAM")
		}
		err := run(ctx, os.Args[1])
		if ctx.Err() != nil {
			err = nil // interrupted, as is the way to end it
		}
		return err
	})
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
