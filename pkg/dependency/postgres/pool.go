package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
)

// A connection that is given back broken is closed in the background, and counts as
// active until then. Unless the server is frozen, that takes well below a
// millisecond.
const (
	settleStep  = time.Millisecond
	settleSteps = 20
)

// poolMeasures samples the pool at rest, after the check's own connection was
// given back: size counts connections that are being dialled as well, which are
// neither free nor active.
func (p *Checker) poolMeasures(ctx context.Context) []health.Value {
	stat := p.pool.Stat()
	for range settleSteps {
		if stat.AcquiredConns() == 0 || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(settleStep):
		case <-ctx.Done():
		}
		stat = p.pool.Stat()
	}
	return []health.Value{
		health.Number("pool_size", stat.TotalConns()),
		health.Number("pool_free", stat.IdleConns()),
		health.Number("pool_active", stat.AcquiredConns()),
	}
}

// lose remembers a connection that broke under a check. The driver closes it in
// the background, up to 15 s long if the server is frozen, and it holds its slot
// until then though nobody uses it.
func (p *Checker) lose(conn *pgxpool.Conn) {
	p.closing = append(p.stillClosing(), conn.Conn().PgConn().CleanupDone())
}

func (p *Checker) stillClosing() []<-chan struct{} {
	p.closing = slices.DeleteFunc(p.closing, func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return p.closing
}

// exhausted reports whether every connection of the pool is really in use.
func (p *Checker) exhausted() bool {
	stat := p.pool.Stat()
	return stat.AcquiredConns() == stat.MaxConns() && len(p.stillClosing()) == 0
}
