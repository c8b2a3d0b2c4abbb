package database_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/program"
)

// records is a log of JSON lines.
type records struct{ program.Output }

func (r *records) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: level}))
}

// queries returns level, message and SQL of each record that has SQL, and checks
// that it was timed.
func (r *records) queries(t *testing.T) [][3]string {
	t.Helper()
	var found [][3]string
	for decoder := json.NewDecoder(strings.NewReader(r.String())); ; {
		var record struct {
			Level, Msg, SQL string
			Duration        *float64 `json:"duration_ms"`
		}
		if err := decoder.Decode(&record); err == io.EOF {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if record.Duration == nil || *record.Duration < 0 {
			t.Errorf("%s: not timed", record.Msg)
		}
		if record.SQL != "" {
			found = append(found, [3]string{record.Level, record.Msg, record.SQL})
		}
	}
}

func TestStatementsAreLogged(t *testing.T) {
	t.Parallel()
	var log records
	config := serverConfig(server)
	config.Logger, config.Password = log.logger(slog.LevelDebug), fixed(server.Password)
	db := open(t, config)
	ctx := t.Context()

	_, err := database.Value[string](ctx, db, "select\n\t $1::text", canary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := database.Exec(ctx, db, "select id from properties where id = $1", canary); err == nil {
		t.Fatal("no error")
	}
	if _, err := database.Exec(ctx, db, "select $1::text", struct{ A string }{canary}); err == nil {
		t.Fatal("no error")
	}
	err = db.InTx(ctx, pgx.TxOptions{}, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue("select 1")
		batch.Queue("select $1::text", canary)
		return database.Batch(ctx, tx, batch)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][3]string{
		{"DEBUG", "query", "select $1::text"},
		{"DEBUG", "query", "select id from properties where id = $1"},
		{"DEBUG", "query", "select $1::text"},
		{"DEBUG", "query", "begin"},
		{"DEBUG", "query", "select 1; select $1::text"},
		{"DEBUG", "query", "commit"},
	}
	if diff := cmp.Diff(want, log.queries(t)); diff != "" {
		t.Error("records (-want +got):", diff)
	}
	for _, secret := range []string{canary, server.Password} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "22P02") {
		t.Error("the failure is not in the log")
	}
}

func TestSlowStatementsAreWarnedOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		slow time.Duration
		want [][3]string
	}{
		{"slow", 20 * time.Millisecond, [][3]string{{"WARN", "slow query", "select pg_sleep($1)"}}},
		{"quick enough", time.Hour, nil},
		{"off", -1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log records
			config := serverConfig(server)
			config.Logger, config.SlowQuery = log.logger(slog.LevelInfo), tt.slow
			if _, err := database.Exec(context.Background(), open(t, config), "select pg_sleep($1)", 0.05); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, log.queries(t)); diff != "" {
				t.Error("records (-want +got):", diff)
			}
		})
	}
}

func TestLongStatementsAreCut(t *testing.T) {
	t.Parallel()
	var log records
	config := serverConfig(server)
	config.Logger = log.logger(slog.LevelDebug)
	long := "select 'x" + // so that the cut is within a rune
		strings.Repeat("ü", 5000) + "'"
	if _, err := database.Exec(t.Context(), open(t, config), long); err != nil {
		t.Fatal(err)
	}
	if sql := log.queries(t)[0][2]; len(sql) > 2100 || !strings.HasSuffix(sql, "ü…") {
		t.Errorf("%d bytes, ending in %q", len(sql), sql[len(sql)-6:])
	}
}
