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

// connector makes the only connection that its sql.DB ever has. A second one would
// not hold the lock.
type connector struct {
	driver.Connector
	timeout time.Duration
	conn    *recorder
}

// Connect returns the connection, or an error when it was made before.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.conn != nil {
		return nil, errLost
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
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

// dial tries until ctx is done, unless trying again is of no use.
func (c *connector) dial(ctx context.Context) (driver.Conn, error) {
	var last error
	for {
		conn, err := c.Connector.Connect(ctx)
		if err == nil {
			return conn, nil
		}
		if !mayPass(err) {
			return nil, dialError("", err)
		}
		if last == nil || ctx.Err() == nil { // not that the time ran out
			last = err
		}
		if !pause(ctx, dialPause) {
			return nil, dialError(fmt.Sprintf("gave up after %s: ", c.timeout), last)
		}
	}
}

// dialError puts on one line what pgx says of each attempt on several.
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

// mayPass reports whether a dial may fare better later: the server is not there yet,
// or busy. What it answers otherwise stays.
func mayPass(err error) bool {
	if code := sqlState(err); code != "" {
		return code == codeCannotConnectNow || code == codeTooManyConnections
	}
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate)
}

// pause waits, and reports false when ctx is done before.
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

// recorder remembers the statements of the step that is running, so that an error can
// be traced to its line: goose does not say which one failed.
type recorder struct {
	*stdlib.Conn
	statements []string
}

// ExecContext records the statement and runs it.
func (r *recorder) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r.statements = append(r.statements, query)
	return r.Conn.ExecContext(ctx, query, args)
}
