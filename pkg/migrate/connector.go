package migrate

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialPause is the time between two attempts to reach the server.
const dialPause = 500 * time.Millisecond

var errLost = errors.New("the connection to the database was lost, and the lock with it")

// connector opens the only connection that its sql.DB ever has. A second one would
// not hold the lock.
type connector struct {
	driver.Connector
	options Options
	conn    *recorder
}

// Connect returns the connection, or an error if it was called before.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.conn != nil {
		return nil, errLost
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	std, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connect to the database: the driver is %T", conn), conn.Close())
	}
	c.conn = &recorder{Conn: std}
	return c.conn, nil
}

// dial tries until the time is over, unless another attempt cannot succeed.
func (c *connector) dial(ctx context.Context) (driver.Conn, error) {
	patience := max(c.options.ConnectTimeout, c.options.RetryFor)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n := newNotice(c.options)
	var last error
	var refused time.Time // when the first of the possibly transient refusals in a row was
	for {
		conn, err := c.try(ctx)
		if err == nil {
			return conn, nil
		}
		switch hope := hopeOf(err); {
		case hope == hopeful:
			refused = time.Time{}
		case refused.IsZero():
			refused = time.Now()
			fallthrough
		default:
			if hope == hopeless || time.Since(refused) > min(c.options.RetryFor, refusalPatience) || c.options.RetryFor == 0 {
				return nil, dialError("", err)
			}
		}
		if last == nil || ctx.Err() == nil { // keep the error before the timeout
			last = err
		}
		n.failed(dialError("", last))
		if !pause(ctx, dialPause) {
			return nil, dialError(fmt.Sprintf("gave up after %s: ", patience), last)
		}
	}
}

// try connects once.
func (c *connector) try(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.ConnectTimeout)
	defer cancel()
	return c.Connector.Connect(ctx)
}

// dialError returns pgx's errors of several attempts on one line.
func dialError(prefix string, err error) error {
	text := "connect to the database: " + prefix
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return fmt.Errorf("%s%w", text, err)
	}
	attempts := strings.Split(connect.Unwrap().Error(), "\n")
	text = fmt.Sprintf("connect to the database %s as %s: %s", connect.Config.Database, connect.Config.User, prefix)
	return &explained{text + strings.Join(slices.Compact(attempts), "; "), err}
}

// hope classifies a failed attempt to connect by whether another one may succeed.
type hope int

const (
	hopeless hope = iota
	// doubtful is a refusal that may be transient: when a server is set up, the role and
	// the database are created after it accepts connections.
	doubtful
	hopeful // the server is not started yet, or busy
)

// refusalPatience is how long a refused login, or a missing database, is
// retried, if retries were requested.
const refusalPatience = 30 * time.Second

func hopeOf(err error) hope {
	var (
		server      *pgconn.PgError
		certificate *tls.CertificateVerificationError
	)
	switch code := sqlState(err); {
	case code == "":
		if errors.As(err, &certificate) {
			return hopeless
		}
		return hopeful
	case !errors.As(err, &server): // ours, of a password that could not be read
		return hopeless
	case mayPass(code):
		return hopeful
	case strings.HasPrefix(code, classAuth), code == codeNoDatabase:
		return doubtful
	default:
		return hopeless
	}
}

// pause waits, and reports false if ctx is done earlier.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// recorder records the statements of the running migration, so that an error can
// be traced to its line: goose does not report which one failed.
type recorder struct {
	*stdlib.Conn
	statements []string
	reading    bool // the session is one transaction that only reads
}

// ExecContext records the statement and runs it.
func (r *recorder) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r.statements = append(r.statements, query)
	return r.Conn.ExecContext(ctx, query, args)
}

// ResetSession checks whether the connection is open, as the driver does. The driver
// would also discard a connection that is in a transaction, and a read-only session is
// always in one.
func (r *recorder) ResetSession(ctx context.Context) error {
	if !r.reading {
		return r.Conn.ResetSession(ctx)
	}
	if r.Conn.Conn().IsClosed() {
		return driver.ErrBadConn
	}
	return nil
}
