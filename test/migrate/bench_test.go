package migrate_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

// rows is the size of the tables that are adopted.
const rows = 1_000_000

// BenchmarkUp migrates an empty database, and the predecessor's with a million
// properties, made by its runner and made by hand with hardly an index. Each lock is
// reported with the longest time for which it was held on the table.
func BenchmarkUp(b *testing.B) {
	pg := servers.RunPostgres(b, servers.PostgresOptions{Settings: map[string]string{
		"max_wal_size": "4GB", "shared_buffers": "256MB", "maintenance_work_mem": "64MB",
	}})
	for _, name := range []string{"empty", "predecessor", "psql"} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				pool := prepare(b, pg, name, i)
				b.StartTimer()
				up(b, pool)
			}
		})
	}
}

// prepare makes a database with the rows.
func prepare(b *testing.B, pg *servers.Postgres, name string, i int) *pgxpool.Pool {
	b.Helper()
	config, err := pgxpool.ParseConfig(pg.URL())
	if err != nil {
		b.Fatal(err)
	}
	config.ConnConfig.Database = fmt.Sprintf("%s_%d", name, i)
	if err := pg.SQL(b.Context(), "CREATE DATABASE "+config.ConnConfig.Database); err != nil {
		b.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if name == "empty" {
		return pool
	}
	tables, err := os.ReadFile("../../pkg/migrate/testdata/" + name + ".sql")
	if err != nil {
		b.Fatal(err)
	}
	for _, sql := range []string{string(tables), fmt.Sprintf(fill, rows), "VACUUM ANALYZE properties", "CHECKPOINT"} {
		if _, err := pool.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	return pool
}

// fill leaves the status of every tenth row open, as the predecessor allowed.
const fill = `
	INSERT INTO properties (name, description, address, city, state, latitude, longitude, total_sqft, year_built, total_units, occupied_units,
		property_type, property_class, current_value, occupancy_rate, acquisition_date, status, has_active_alerts, created_at, updated_at)
	SELECT 'Property ' || i, repeat('d', 100), i || ' Main Street', 'City ' || i %% 1000, 'MA', i %% 90, i %% 180, 1000 + i %% 9000, 1900 + i %% 120, 100, i %% 100,
		'office', 'A', i, i %% 100, '2020-01-01', CASE WHEN i %% 10 > 0 THEN 'active' END, i %% 7 = 0,
		timestamp '2020-01-01' + i * interval '1 minute', timestamp '2024-01-01'
	FROM generate_series(1, %d) i`

// up migrates and reports where the time went.
func up(b *testing.B, pool *pgxpool.Pool) {
	b.Helper()
	watching, stop := context.WithCancel(b.Context())
	held := make(chan map[string]time.Duration, 1)
	conn := watcher(b, pool)
	go func() { held <- watch(watching, conn) }() // ends with stop
	took := make(map[string]time.Duration)
	m, err := migrate.New(pool, migrate.Options{Report: func(e migrate.Event) { took[fmt.Sprintf("step%d", e.Step.Version)] = e.Took }})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Up(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	stop()
	maps.Copy(took, <-held)
	start := time.Now()
	report, err := migrate.Verify(b.Context(), pool)
	if err != nil || report.Err(false) != nil {
		b.Fatal(err, report)
	}
	took["verify"] = time.Since(start)
	for _, what := range slices.Sorted(maps.Keys(took)) {
		b.ReportMetric(float64(took[what].Microseconds())/1000, what+"-ms")
	}
	b.StartTimer()
}

func watcher(b *testing.B, pool *pgxpool.Pool) *pgx.Conn {
	b.Helper()
	conn, err := pgx.ConnectConfig(b.Context(), pool.Config().ConnConfig)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.WithoutCancel(b.Context())) })
	return conn
}

// watch polls until ctx is done, and returns the longest that each lock was held on
// the table by anybody else.
func watch(ctx context.Context, conn *pgx.Conn) map[string]time.Duration {
	longest, since := make(map[string]time.Duration), make(map[string]time.Time)
	for ctx.Err() == nil {
		found, _ := conn.Query(ctx, `SELECT mode || ' ' || virtualtransaction FROM pg_locks
			WHERE relation = to_regclass('properties') AND granted AND pid <> pg_backend_pid() AND mode <> 'AccessShareLock'`)
		modes, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			continue
		}
		now := time.Now()
		maps.DeleteFunc(since, func(mode string, _ time.Time) bool { return !slices.Contains(modes, mode) })
		for _, mode := range modes {
			if _, ok := since[mode]; !ok {
				since[mode] = now
			}
			name, _, _ := strings.Cut(mode, " ")
			longest[name] = max(longest[name], now.Sub(since[mode]))
		}
	}
	return longest
}
