// Migrate-demo shows the migrations at work on a PostgreSQL of its own: from an
// empty database to a verified one, then broken, then mended by the SQL that verify
// prints. Its argument is the program.
//
//	go run ./hack/migrate-demo bin/reims-health
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/reims/reims-health/test/servers"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/migrate-demo PROGRAM")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate-demo:", err)
		os.Exit(1)
	}
}

// run starts the server, shows everything, and leaves nothing behind.
func run(ctx context.Context, program string) error {
	progress := func(line string) { fmt.Println(line) }
	return servers.UsePostgres(ctx, progress, func(dir string, pg *servers.Postgres) error {
		env := filepath.Join(dir, "demo.env")
		if err := servers.WriteEnv(env, pg.Env()); err != nil {
			return err
		}
		d := &demo{program: program, envFile: env, url: pg.URL(), out: os.Stdout}
		return d.show(ctx)
	})
}
