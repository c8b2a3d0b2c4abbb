package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/servers"
)

// server is the PostgreSQL that the examples and most tests share. Those that
// stop, freeze or configure one start their own.
var server *servers.Postgres

func TestMain(m *testing.M) {
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
	dir, err := os.MkdirTemp("", "reims-database-")
	if err != nil {
		return func() error { return nil }, err
	}
	stop = func() error { return os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o711); err != nil { // for the user that PostgreSQL runs as
		return stop, err
	}
	server, err = servers.StartPostgres(context.Background(), servers.PostgresOptions{Options: servers.Options{Dir: dir}})
	if err != nil {
		return stop, err
	}
	stop = func() error { return errors.Join(server.Close(), os.RemoveAll(dir)) }
	for _, sql := range []string{estate, "create database estate template reims"} {
		if err := server.SQL(context.Background(), sql); err != nil {
			return stop, err
		}
	}
	return stop, nil
}

// estate is the database of the examples.
const estate = `
	create table properties (
		id             bigint generated always as identity primary key,
		name           text not null unique,
		city           text not null,
		status         text not null default 'active',
		occupancy_rate double precision check (occupancy_rate between 0 and 100)
	);
	create table leases (
		property_id bigint not null references properties on delete cascade,
		tenant      text not null,
		rent        integer not null
	);
	insert into properties (name, city, status, occupancy_rate) values
		('Harbour View', 'Boston', 'active', 92.5),
		('Mill House',   'Boston', 'active', 71),
		('Oak Court',    'Denver', 'active', 88),
		('Pine Plaza',   'Denver', 'sold',   null),
		('River Yard',   'Austin', 'active', 64);
	insert into leases select id, 'Acme', 1200 from properties where name in ('Harbour View', 'Oak Court');
	insert into leases select id, 'Globex', 900 from properties where name = 'Harbour View';`

// serverConfig leads to a server.
func serverConfig(pg *servers.Postgres) database.Config {
	return database.Config{
		Host:     pg.Host(),
		Port:     uint16(pg.Port()),
		Name:     pg.Database,
		User:     pg.User,
		Password: fixed(pg.Password),
		MinConns: -1,
		MaxConns: 4,
	}
}

func fixed(password string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return password, nil }
}

// onDatabase runs an example on a database of its own.
func onDatabase(example func(ctx context.Context, db *database.DB) error) {
	ctx := context.Background()
	db, err := copyOfEstate(ctx)
	if err == nil {
		err = errors.Join(example(ctx, db), db.Close())
	}
	if err != nil {
		fmt.Println(err)
	}
}

var copies atomic.Int32

// copyOfEstate returns a pool on a new copy of the estate.
func copyOfEstate(ctx context.Context) (*database.DB, error) {
	config := serverConfig(server)
	config.Name = fmt.Sprintf("estate_%d", copies.Add(1))
	if err := server.SQL(ctx, "create database "+config.Name+" template estate"); err != nil {
		return nil, err
	}
	return database.Open(ctx, config)
}

// open returns a pool that is closed with the test.
func open(t *testing.T, config database.Config) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
