package database

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tracer sets a timeout for each call of the pool, and logs its duration. It works because
// pgx uses the context that a Trace…Start returns for the rest of the call.
type tracer struct {
	log              *slog.Logger
	slow             time.Duration
	command, connect time.Duration
}

var (
	_ pgx.QueryTracer       = (*tracer)(nil)
	_ pgx.BatchTracer       = (*tracer)(nil)
	_ pgx.ConnectTracer     = (*tracer)(nil)
	_ pgxpool.AcquireTracer = (*tracer)(nil)
)

// span is one traced call, carried by its context.
type span struct {
	sql    []string
	start  time.Time
	cancel context.CancelFunc
}

type spanKey struct{}

func begin(ctx context.Context, timeout time.Duration, sql ...string) context.Context {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	return context.WithValue(ctx, spanKey{}, &span{sql: sql, start: time.Now(), cancel: cancel})
}

func end(ctx context.Context) (s *span, took time.Duration) {
	s = ctx.Value(spanKey{}).(*span)
	s.cancel()
	return s, time.Since(s.start)
}

// TraceQueryStart sets the timeout of a statement and starts to measure its duration.
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return begin(ctx, t.command, data.SQL)
}

// TraceQueryEnd logs the statement.
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.statement(ctx, data.Err, slog.Int64("rows", data.CommandTag.RowsAffected()))
}

// TraceBatchStart sets the timeout of a whole batch.
func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	sql := make([]string, len(data.Batch.QueuedQueries))
	for i, q := range data.Batch.QueuedQueries {
		sql[i] = q.SQL
	}
	return begin(ctx, t.command, sql...)
}

// TraceBatchQuery does nothing: a batch is one round trip and one record.
func (t *tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd logs the batch.
func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.statement(ctx, data.Err)
}

func (t *tracer) statement(ctx context.Context, err error, attrs ...slog.Attr) {
	s, took := end(ctx)
	switch {
	case t.slow >= 0 && took >= t.slow:
		attrs = append(attrs, slog.String("sql", oneLine(s.sql)))
		t.log.LogAttrs(ctx, slog.LevelWarn, "slow query", append(attrs, outcome(took, err)...)...)
	case t.log.Enabled(ctx, slog.LevelDebug):
		attrs = append(attrs, slog.String("sql", oneLine(s.sql)))
		t.log.LogAttrs(ctx, slog.LevelDebug, "query", append(attrs, outcome(took, err)...)...)
	}
}

// TraceConnectStart sets the timeout of a whole dial. The ConnectTimeout of pgx applies to
// each address, and not to name resolution.
func (t *tracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return begin(ctx, t.connect)
}

// TraceConnectEnd logs the dial, also one in the background.
func (t *tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	_, took := end(ctx)
	t.log.LogAttrs(ctx, slog.LevelDebug, "connect", outcome(took, data.Err)...)
}

// TraceAcquireStart sets the timeout of the wait for a connection.
func (t *tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return begin(ctx, t.connect)
}

// TraceAcquireEnd stops the timer of the timeout.
func (t *tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	end(ctx)
}

func outcome(took time.Duration, err error) []slog.Attr {
	attrs := []slog.Attr{slog.Float64("duration_ms", float64(took.Microseconds())/1000)}
	if err != nil {
		attrs = append(attrs, slog.String("error", describe(err)))
	}
	return attrs
}

// oneLine joins and shortens statements for a log record.
func oneLine(sql []string) string {
	const limit = 2000
	line := strings.Join(strings.Fields(strings.Join(sql, "; ")), " ")
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}
