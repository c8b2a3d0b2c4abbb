package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
)

// defaultAppInterval is how often the API's connections are counted.
const defaultAppInterval = 30 * time.Second

// defaultSchemaInterval is for how long a version of the schema that suffices counts.
const defaultSchemaInterval = 30 * time.Second

// Options say what a [Checker] probe looks at besides the answer itself.
type Options struct {
	// Pool is what the checker uses. It stays the caller's, who closes it, but must be
	// used by nobody else: the checker resets it on Redial. It
	// must not ping on acquire (ShouldPing), or a check costs two round trips, nor end
	// connections itself sooner than that (MaxConnLifetime): it would do so as they are
	// given back, and hold none until the next check. Required.
	Pool *pgxpool.Pool
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
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
	// SchemaTable is a table that the first step of the schema makes: without it, the
	// versions are another program's. The default, empty, does not look.
	SchemaTable string
	// AppInterval is the least time between two counts. The default, zero, is 30 s.
	AppInterval time.Duration
	// SchemaInterval is for how long a version of the schema that suffices counts. It is read
	// again sooner on a connection that is new. The default, zero, is 30 s.
	SchemaInterval time.Duration
	// Certificates remembers those of the server; the pool's TLS configurations are to be
	// watched by it. Nil: they are not remembered.
	Certificates *dependency.Certificates
	// Idle watches the pool's connections between two checks. The default, nil, is that
	// nothing does.
	Idle *idle.Watch
	// Pods returns how many Pods count; the sidecars that the server knows count as well. Above
	// 170 of them the time between two counts is longer, so that they read at most 1,000 rows
	// per second. The default, nil, is few.
	Pods func() int
	// Logger is told once of what the server refuses to tell. The default discards it.
	Logger *slog.Logger
}

// Checker is the [health.Checker] of a PostgreSQL database, reached directly or
// through PgBouncer. One check is one message of short statements in one round trip;
// what the server refuses of what is not needed is left out until the next Redial. When
// the connection that the pool hands out turns out to be dead, it is tried once more
// on a fresh one. Connections are dialled afresh on Redial.
type Checker struct {
	dependency.Redialer
	pool *pgxpool.Pool
	opts Options
	tls  bool // the pool never falls back to a connection in clear

	endpoint         string          // where the pool dials, for readers
	tracer           pgx.QueryTracer // of the pool
	statementTimeout string          // of the pool, in milliseconds; empty for none

	closing []<-chan struct{} // connections that earlier checks lost, see lose
	app     appConnections
	used    usedWatch
	writes  writesWatch
	schema  schemaWatch
	missing map[string]bool // parts that the server refused, see refused
	told    map[string]bool // parts whose absence was logged
}

var _ health.Redialer = (*Checker)(nil)

// New returns a checker that dials nothing before the first check.
func New(opts Options) *Checker {
	opts.AppInterval = cmp.Or(opts.AppInterval, defaultAppInterval)
	opts.SchemaInterval = cmp.Or(opts.SchemaInterval, defaultSchemaInterval)
	if opts.Pods == nil {
		opts.Pods = func() int { return 0 }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	config := opts.Pool.Config().ConnConfig
	return &Checker{
		pool: opts.Pool, opts: opts, tls: requiresTLS(config),
		endpoint: endpoint(config), tracer: config.Tracer, statementTimeout: config.RuntimeParams["statement_timeout"],
		missing: map[string]bool{}, told: map[string]bool{},
	}
}

// Check gives up connections that are too old, then asks the server for its state.
// The latency it reports is the last round trip, without dial and login. A failed
// check still reports the pool.
func (p *Checker) Check(ctx context.Context) (health.Observation, error) {
	seen, err := p.check(ctx)
	seen.Values = append(seen.Values, health.Text("endpoint", p.endpoint))
	return p.opts.Prefix.Explain(seen, err)
}

// endpoint returns the address of the server, or the path of its socket.
func endpoint(config *pgx.ConnConfig) string {
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	if network == "unix" {
		return address
	}
	return net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
}

func (p *Checker) check(ctx context.Context) (health.Observation, error) {
	p.opts.Idle.Stop()
	if p.Expired() {
		p.pool.Reset()
		clear(p.missing)
	}
	state, err := p.query(ctx)
	pool := p.poolMeasures(ctx)
	if err != nil {
		p.app.forget()
		p.used.forget()
		p.writes.take(time.Now(), nil)
		return health.Observation{Values: append(pool, health.Text("database", p.opts.Database))}, err
	}
	p.takeWrites(state.writes)
	if p.missing[usedName] {
		p.used.forget()
	}
	p.used.take(time.Now(), state)
	return health.Observation{
		Latency: state.latency,
		Values:  append(append(pool, p.stateMeasures(state)...), p.app.measures...),
	}, p.judge(state)
}

// query asks the server, and once more on a fresh connection when it was a
// pooled one that turned out to be dead: a server that restarted since the last
// check is not a fault now.
func (p *Checker) query(ctx context.Context) (*state, error) {
	state, died, err := p.try(ctx)
	if died {
		p.pool.Reset()
		state, _, err = p.try(ctx)
	}
	return state, err
}

// try asks the server on one connection. It reports died when the connection
// came out of the pool, is closed now, and there is time left for another.
func (p *Checker) try(ctx context.Context) (_ *state, died bool, _ error) {
	dialled := p.pool.Stat().EmptyAcquireCount()
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, false, p.acquireFault(err)
	}
	pooled := p.pool.Stat().EmptyAcquireCount() == dialled
	defer conn.Release()
	if _, secured := conn.Conn().PgConn().Conn().(*tls.Conn); !secured {
		p.opts.Certificates.Forget()
	}

	sample := p.opts.AppConnections && p.app.due(p.opts.AppInterval, p.sidecars())
	if !pooled {
		p.schema.suffices = nil // another server may answer
	}
	state, err := p.ask(ctx, conn.Conn(), sample)
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
	p.opts.Idle.Add(conn.Conn().PgConn().Conn())
	return state, false, nil
}

// judge tells whether a server in that state is well.
func (p *Checker) judge(state *state) error {
	switch {
	case !state.readOnly || p.opts.AllowReplica:
		return cmp.Or(p.writes.judge(time.Now()), p.judgeSchema(state))
	case state.standby != nil && *state.standby:
		return &health.Fault{Reason: health.ReasonReadOnly, Message: "the server is a standby and accepts no writes: " +
			"{HOST} must lead to the primary (or set {ALLOW_REPLICA})"}
	case state.standby == nil:
		return &health.Fault{Reason: health.ReasonReadOnly, Message: "the server accepts no writes: it is a standby, or was set read-only"}
	default:
		return &health.Fault{Reason: health.ReasonReadOnly, Message: "the server is a primary set read-only: look at " +
			"default_transaction_read_only of the server, the database and the role"}
	}
}

func (p *Checker) judgeSchema(state *state) error {
	if state.schema == nil {
		return nil
	}
	return state.schema.judge(p.opts.RequiredSchema, p.schema.last)
}
