package probe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
)

// defaultAppInterval is how often the API's connections are counted.
const defaultAppInterval = 30 * time.Second

// PostgresOptions say what a [Postgres] probe looks at besides the answer itself.
type PostgresOptions struct {
	// Database is the name of the database, as configured; readers are shown it.
	Database string
	// AllowReplica accepts a server that takes no writes. The default, false, makes
	// it a fault (read_only).
	AllowReplica bool
	// AppConnections counts the connections that this Pod's API holds. The pool must
	// then have an application_name that the API does not use. The default is off.
	AppConnections bool
	// RequiredSchema is the version of the schema, in goose's table, below which the
	// database is schema_behind. The default, zero, does not look.
	RequiredSchema int64
	// AppInterval is the time between two counts. The default, zero, is 30 s.
	AppInterval time.Duration
}

// Postgres is the [health.Checker] of a PostgreSQL database, reached directly or
// through PgBouncer. One check is one statement in one round trip; when the
// connection that the pool hands out turns out to be dead, it is tried once more
// on a fresh one. Connections are dialled afresh once a minute and on Redial.
type Postgres struct {
	redialer
	pool *pgxpool.Pool
	opts PostgresOptions
	tls  bool // the pool never falls back to a connection in clear

	closing []<-chan struct{} // connections that earlier checks lost, see lose
	app     appConnections
}

var _ health.Redialer = (*Postgres)(nil)

// NewPostgres returns a probe that uses pool and dials nothing before the first
// check. The pool stays the caller's, who closes it, but nobody else should use it:
// the probe resets it when the connections' minute is over. It must not ping on
// acquire (ShouldPing), or a check costs two round trips, nor end connections
// within that minute itself (MaxConnLifetime): it would do so as they are given
// back, and hold none until the next check.
func NewPostgres(pool *pgxpool.Pool, opts PostgresOptions) *Postgres {
	if opts.AppInterval == 0 {
		opts.AppInterval = defaultAppInterval
	}
	return &Postgres{pool: pool, opts: opts, tls: requiresTLS(pool.Config().ConnConfig)}
}

// Check gives up connections that are too old, then asks the server for its state. The latency it reports is the statement's
// round trip, without dial and login. A failed check still reports the pool.
func (p *Postgres) Check(ctx context.Context) (health.Observation, error) {
	if p.expired(time.Now()) {
		p.pool.Reset()
	}
	state, err := p.ask(ctx)
	pool := p.poolMeasures(ctx)
	if err != nil {
		p.app.forget()
		return health.Observation{Measures: append(pool, health.Text("database", p.opts.Database))}, err
	}
	return health.Observation{
		Latency:  state.latency,
		Measures: append(append(pool, p.stateMeasures(state)...), p.app.measures...),
	}, p.judge(state)
}

// ask runs the statement, and once more on a fresh connection when it was a
// pooled one that turned out to be dead: a server that restarted since the last
// check is not a fault now.
func (p *Postgres) ask(ctx context.Context) (*postgresState, error) {
	state, died, err := p.try(ctx)
	if died {
		p.pool.Reset()
		state, _, err = p.try(ctx)
	}
	return state, err
}

// try runs the statement on one connection. It reports died when the connection
// came out of the pool, is closed now, and there is time left for another.
func (p *Postgres) try(ctx context.Context) (_ *postgresState, died bool, _ error) {
	dialled := p.pool.Stat().EmptyAcquireCount()
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, false, p.acquireFault(err)
	}
	pooled := p.pool.Stat().EmptyAcquireCount() == dialled
	defer conn.Release()

	sample := p.opts.AppConnections && p.app.due(p.opts.AppInterval)
	state, err := queryState(ctx, conn.Conn(), p.opts.RequiredSchema > 0, sample)
	if err != nil {
		closed := conn.Conn().IsClosed()
		if closed {
			p.lose(conn)
		}
		return nil, pooled && closed && ctx.Err() == nil, statementFault(err)
	}
	if sample {
		p.app.take(state.app, conn.Conn().PgConn())
	}
	return state, false, nil
}

// judge tells whether a server in that state is well.
func (p *Postgres) judge(state *postgresState) error {
	switch {
	case !state.readOnly || p.opts.AllowReplica:
		return p.judgeSchema(state)
	case state.standby:
		return &health.Fault{Reason: health.ReadOnly, Message: "the server is a standby and accepts no writes: " +
			"DATABASE_HOST must lead to the primary (or set DATABASE_ALLOW_REPLICA)"}
	default:
		return &health.Fault{Reason: health.ReadOnly, Message: "the server is a primary set read-only: look at " +
			"default_transaction_read_only of the server, the database and the role"}
	}
}

func (p *Postgres) judgeSchema(state *postgresState) error {
	if state.schema == nil {
		return nil
	}
	return state.schema.judge(p.opts.RequiredSchema)
}
