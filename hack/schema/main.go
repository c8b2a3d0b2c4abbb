// Schema keeps migrations/snapshot.json, what the migrations create in the words of
// a real PostgreSQL, which it starts:
//
//	go run ./hack/schema          write it, if it is out of date
//	go run ./hack/schema -check   exit with 1 if it is
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers"
)

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if the snapshot is out of date")
	flag.Parse()
	command.Main("schema", func(ctx context.Context) error { return run(ctx, *check) })
}

func run(ctx context.Context, check bool) (err error) {
	root, err := servers.Root()
	if err != nil {
		return err
	}
	pg, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Close(), os.RemoveAll(pg.Dir())) }()
	fresh, err := snapshot(ctx, pg.URL())
	if err != nil {
		return err
	}
	return command.Update(filepath.Join(root, "migrations", "snapshot.json"), fresh, check, "update-schema")
}

// start runs a PostgreSQL in a temporary folder.
func start(ctx context.Context) (*servers.Postgres, error) {
	dir, err := os.MkdirTemp("", "reims-health-schema-")
	if err != nil {
		return nil, err
	}
	// As root, the server runs under an account of its own.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	progress := func(line string) { fmt.Println(line) }
	return servers.StartPostgres(ctx, servers.PostgresOptions{Options: servers.Options{Dir: dir, Progress: progress}})
}
