package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// Part is what one part of the database check's message costs the server.
type Part struct {
	Name  string
	Calls int
	// Each is the mean time to plan and execute it, Least the least: what it takes on a machine
	// with nothing else to do, once the connection has read the catalogue.
	Each, Least time.Duration
}

// partNames tells the parts by what is in their text; the first that fits counts. A test of the
// small run holds that all are there.
var partNames = [][2]string{
	{"SHOW", "is up, version, max_connections (SHOW)"},
	{"SET ", "settings of the transaction (SET)"},
	{"inet_client_addr", "the API's connections (pg_stat_activity)"},
	{"application_name OPERATOR", "number of sidecars (pg_stat_activity)"},
	{"numbackends", "connections used (pg_stat_database)"},
	{"pg_current_wal_flush_lsn", writesPart},
	{"query_to_xml", "the schema's version"},
	{"SELECT pg_catalog.pg_is_in_recovery()", "is it a standby"},
}

const writesPart = "writes that hang"

// parts reads what pg_stat_statements counted for the product's database, by part.
func parts(ctx context.Context, pg *servers.Postgres) ([]Part, error) {
	conn, err := pgx.Connect(ctx, pg.URL())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `select query, calls::int8, total_exec_time + total_plan_time, min_exec_time + min_plan_time from pg_stat_statements`)
	if err != nil {
		return nil, err
	}
	found := make([]Part, len(partNames))
	for rows.Next() {
		var query string
		var calls int
		var ms, least float64
		if err := rows.Scan(&query, &calls, &ms, &least); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(partNames, func(p [2]string) bool { return strings.Contains(query, p[0]) })
		if i < 0 || strings.Contains(query, "pg_stat_statements") {
			continue
		}
		found[i].Name = partNames[i][1]
		found[i].Calls = max(found[i].Calls, calls)
		found[i].Each += time.Duration(ms * float64(time.Millisecond)) // of all
		found[i].Least += time.Duration(least * float64(time.Millisecond))
	}
	for i := range found {
		if found[i].Calls > 0 {
			found[i].Each /= time.Duration(found[i].Calls) // per message: there are several SET and SHOW
		}
	}
	return slices.DeleteFunc(found, func(p Part) bool { return p.Calls == 0 }), rows.Err()
}

// messages returns how many messages of the check the server has answered: each has one of these.
func messages(ctx context.Context, pg *servers.Postgres) (n int, err error) {
	conn, err := pgx.Connect(ctx, pg.URL())
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `select coalesce(sum(calls), 0)::int8 from pg_stat_statements where query = 'SHOW server_version'`).Scan(&n)
	return n, err
}

// PartsReport is what the parts cost beside so many connections.
type PartsReport struct {
	Backends int
	Parts    []Part
	// Latency is the median time of the check's message, as the client sees it.
	Latency time.Duration
}

// MeasureParts holds so many idle connections to a PostgreSQL of its own, and checks it many times.
func MeasureParts(ctx context.Context, o Options, backends int) (report *PartsReport, err error) {
	if err := enoughFiles(backends); err != nil {
		return nil, err
	}
	s := &stage{}
	defer func() { err = errors.Join(err, s.close()) }()
	o.Loops, o.Pooled = backends, false
	if err := s.startPostgres(ctx, o, "host all all 127.0.0.1/32 trust"); err != nil {
		return nil, err
	}
	o.Progress(fmt.Sprintf("opening %d connections", backends))
	closeAll, err := hold(ctx, s.postgres, backends)
	defer closeAll()
	if err != nil {
		return nil, err
	}
	if err := s.postgres.SQL(ctx, "select pg_stat_statements_reset()"); err != nil {
		return nil, err
	}
	o.Progress("checking")
	report = &PartsReport{Backends: backends}
	if report.Latency, err = checkOften(ctx, s.postgres); err != nil {
		return nil, err
	}
	if report.Parts, err = parts(ctx, s.postgres); err != nil {
		return nil, err
	}
	// Where a standby is missing, each check reads pg_stat_activity. No commit waits for it: see
	// synchronous_commit.
	for _, statement := range []string{
		"alter system set synchronous_standby_names = 'missing'", "select pg_reload_conf()", "select pg_stat_statements_reset()",
	} {
		if err := s.postgres.SQL(ctx, statement); err != nil {
			return nil, err
		}
	}
	if _, err = checkOften(ctx, s.postgres); err != nil {
		return nil, err
	}
	found, err := parts(ctx, s.postgres)
	for _, p := range found {
		if p.Name == writesPart {
			p.Name += ", with a standby missing"
			report.Parts = append(report.Parts, p)
		}
	}
	return report, err
}

// checkOften checks the database with one checker after the other, since the first check of each
// counts the API's connections. It returns the median of what their messages took.
func checkOften(ctx context.Context, pg *servers.Postgres) (time.Duration, error) {
	const checkers, checks = 20, 10
	var latencies []time.Duration
	for range checkers {
		l := &loops{stop: func() {}}
		err := l.add(0, 1, environ(append(pg.Env(), servers.Var{Name: "HEALTH_SERVICES", Value: "database"})))
		for range checks {
			if err != nil {
				break
			}
			var seen health.Observation
			seen, err = l.services[0].Checker.Check(ctx)
			latencies = append(latencies, seen.Latency)
		}
		l.end()
		if err != nil {
			return 0, err
		}
	}
	slices.Sort(latencies)
	return latencies[len(latencies)/2], nil
}

// hold opens connections that stay idle.
func hold(ctx context.Context, pg *servers.Postgres, n int) (closeAll func(), err error) {
	var mu sync.Mutex
	var conns []*pgx.Conn
	var group errgroup.Group
	group.SetLimit(8)
	for range n {
		group.Go(func() error {
			conn, err := pgx.Connect(ctx, pg.URL())
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, conn)
			return nil
		})
	}
	err = group.Wait()
	return func() {
		for _, c := range conns {
			_ = c.Close(context.WithoutCancel(ctx)) // the server ends them with it
		}
	}, err
}
