package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

// server is the PostgreSQL that most tests share, each with a database of its own.
var server *servers.Postgres

func TestMain(m *testing.M) {
	if url := os.Getenv(runnerURL); url != "" { // the program that a test kills
		os.Exit(runner(url, os.Getenv(runnerSet)))
	}
	stop, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, stop()))
		os.Exit(1)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startServer() (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "reims-migrate-")
	if err != nil {
		return func() error { return nil }, err
	}
	stop = func() error { return os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o711); err != nil { // for the user that PostgreSQL runs as
		return stop, err
	}
	server, err = servers.StartPostgres(context.Background(), servers.PostgresOptions{
		Options: servers.Options{Dir: dir}, Settings: map[string]string{"max_connections": "200"},
	})
	if err != nil {
		return stop, err
	}
	return func() error { return errors.Join(server.Close(), os.RemoveAll(dir)) }, nil
}

// scratch is a database of one test.
type scratch struct {
	url  string
	pool *pgxpool.Pool
}

var scratches atomic.Int32

// newScratch returns an empty database on the shared server.
func newScratch(t *testing.T) *scratch {
	t.Helper()
	name := fmt.Sprintf("scratch_%d", scratches.Add(1))
	if err := server.SQL(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return newScratchAt(t, strings.Replace(server.URL(), "/"+server.Database, "/"+name, 1))
}

func newScratchAt(t *testing.T, url string) *scratch {
	t.Helper()
	return &scratch{url: url, pool: newPool(t, url)}
}

func newPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s *scratch) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// withPath returns a pool whose sessions have that search_path.
func (s *scratch) withPath(t *testing.T, path string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = path
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// value returns the only value of a query, as text; "null" for none.
func (s *scratch) value(t *testing.T, sql string) string {
	t.Helper()
	var v *string
	if err := s.pool.QueryRow(t.Context(), "SELECT ("+sql+")::text").Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if v == nil {
		return "null"
	}
	return *v
}

// versions lists what the version table holds, in the order in which it came.
func (s *scratch) versions(t *testing.T) string {
	t.Helper()
	if s.value(t, "SELECT to_regclass('goose_db_version')") == "null" {
		return "no table"
	}
	return s.value(t, "SELECT string_agg(version_id::text, ' ' ORDER BY id) FROM goose_db_version")
}

// objects counts what a migration could have made.
func (s *scratch) objects(t *testing.T) string {
	t.Helper()
	return s.value(t, `SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm')`)
}

func newMigrator(t *testing.T, pool *pgxpool.Pool, o migrate.Options) *migrate.Migrator {
	t.Helper()
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	m, err := migrate.New(pool, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// up migrates, and expects success.
func (s *scratch) up(t *testing.T, o migrate.Options) migrate.Result {
	t.Helper()
	result, err := newMigrator(t, s.pool, o).Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// steps makes a set of migrations; each text is what leads up, and "down" what leads
// down.
func steps(texts ...string) fs.FS {
	files := fstest.MapFS{}
	for i, text := range texts {
		up, down, _ := strings.Cut(text, "-- down\n")
		files[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + "\n-- +goose Down\n" + down)}
	}
	return files
}

// followedBy adds steps to the real ones.
func followedBy(t *testing.T, texts ...string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	for i, text := range texts {
		files[fmt.Sprintf("%05d_more.sql", len(names)+i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return files
}

func asFS(files map[string]string) fs.FS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}
