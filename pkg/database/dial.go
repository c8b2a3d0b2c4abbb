package database

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/dial"
)

const (
	statementTimeoutKey = "statement_timeout"

	codeProtocolViolation    = "08P01"
	codeInvalidAuthorization = "28000"
)

// dialer completes the configuration of each dial: the password, the TLS files,
// and whether the server takes statement_timeout as a startup parameter.
type dialer struct {
	config Config
	// learned is set by the first dial that succeeds, refused when a pooler refuses
	// the startup parameter.
	learned, refused atomic.Bool
}

// beforeConnect is called with a copy of the pool's configuration before each dial.
func (d *dialer) beforeConnect(ctx context.Context, cc *pgx.ConnConfig) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.config.ConnectTimeout)
	defer cancel()
	password, err := d.config.Password(ctx)
	if err != nil {
		return &Error{Op: d.op() + ": read the password", Code: codeInvalidAuthorization, Err: err, kind: ErrConnection}
	}
	if err := d.readTLS(cc); err != nil {
		return err
	}
	d.offerStatementTimeout(cc)
	newRoutes(d.config).spread(ctx, cc)
	cc.ConnectTimeout = max(d.config.ConnectTimeout-time.Since(start), time.Millisecond)
	build := cc.BuildFrontend
	cc.AfterNetConnect = func(_ context.Context, c *pgconn.Config, conn net.Conn) (net.Conn, error) {
		d.withdrawStatementTimeout(c)
		offerPassword(c, password, build)
		return conn, nil
	}
	return nil
}

func (d *dialer) op() string { return "connect to " + d.config.target() }

func (d *dialer) readTLS(cc *pgx.ConnConfig) error {
	var fresh *pgconn.Config
	err := d.config.checkTLSFiles()
	if err == nil {
		fresh, err = d.config.parseTLS()
	}
	if err != nil {
		if parse, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
			err = cmp.Or(parse.Unwrap(), err) // without the connection string
		}
		// As text, for a missing file's ENOENT in the chain would read as the missing
		// socket of a server that is down.
		return &Error{
			Op:   d.op() + ": read the TLS files",
			Err:  &tls.CertificateVerificationError{Err: &tlsFileError{err.Error(), d.config.tlsProblem()}},
			kind: ErrConnection,
		}
	}
	cc.TLSConfig, cc.Fallbacks = fresh.TLSConfig, fresh.Fallbacks
	d.watchTLS(cc)
	return nil
}

// watchTLS calls WatchTLS once with each configuration.
func (d *dialer) watchTLS(cc *pgx.ConnConfig) {
	if d.config.WatchTLS == nil {
		return
	}
	seen := []*tls.Config{nil}
	for _, f := range append([]*pgconn.FallbackConfig{{TLSConfig: cc.TLSConfig}}, cc.Fallbacks...) {
		if !slices.Contains(seen, f.TLSConfig) {
			seen = append(seen, f.TLSConfig)
			d.config.WatchTLS(f.TLSConfig)
		}
	}
}

// checkTLSFiles finds what opening would wait for, such as a pipe. A missing file is
// for the parser to tell.
func (c Config) checkTLSFiles() error {
	for _, name := range []string{c.SSLRootCert, c.SSLCert, c.SSLKey} {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
	}
	return nil
}

// offerStatementTimeout drops the parameter once a pooler has refused it. Until a
// dial has succeeded, the last way to connect is tried twice, so that a refusal
// costs this dial nothing but the second attempt.
func (d *dialer) offerStatementTimeout(cc *pgx.ConnConfig) {
	closeOnFatal := cc.OnPgError
	cc.OnPgError = func(conn *pgconn.PgConn, e *pgconn.PgError) bool {
		if refusesParameter(e) {
			d.refused.Store(true)
		}
		return closeOnFatal(conn, e)
	}
	if !d.learned.Load() {
		last := &pgconn.FallbackConfig{Host: cc.Host, Port: cc.Port, TLSConfig: cc.TLSConfig}
		if n := len(cc.Fallbacks); n > 0 {
			last = cc.Fallbacks[n-1]
		}
		cc.Fallbacks = append(cc.Fallbacks, last)
	}
}

func (d *dialer) withdrawStatementTimeout(c *pgconn.Config) {
	if d.refused.Load() {
		delete(c.RuntimeParams, statementTimeoutKey)
	}
}

// refusesParameter reports whether a login was refused because of the parameter: by
// PgBouncer ("unsupported startup parameter") or Amazon's RDS Proxy ("currently doesn't
// support the option"). Both end the connection, which a statement's own error does not.
func refusesParameter(e *pgconn.PgError) bool {
	return e.Severity == "FATAL" && strings.Contains(e.Message, statementTimeoutKey)
}

func (d *dialer) afterConnect(context.Context, *pgx.Conn) error {
	d.learned.Store(true)
	return nil
}

// routes leads one dial of pgx through the addresses of its hosts.
//
// By itself pgx tries all addresses with TLS, then all without, and each may take
// what time there is. Instead it is told to connect to the same host again and
// again, address by address as libpq does, with TLS and without where both are
// allowed. The route of the host chooses the address.
type routes struct {
	dialer *dial.Dialer
	hosts  map[string]*hostRoute // by name and port, those that are no addresses
	failed map[string]error      // why a host could not be resolved
}

// hostRoute is the way to one host. Its addresses take attempts in turn.
type hostRoute struct {
	*dial.Route
	attempts int // for each address
	made     int
	reached  bool // the present one
}

func newRoutes(c Config) *routes {
	return &routes{
		dialer: &dial.Dialer{Lookup: c.Lookup, Dial: c.DialFunc},
		hosts:  make(map[string]*hostRoute),
		failed: make(map[string]error),
	}
}

// spread resolves the hosts of cc and repeats what it tries for each address.
func (r *routes) spread(ctx context.Context, cc *pgx.ConnConfig) {
	all := append([]*pgconn.FallbackConfig{{Host: cc.Host, Port: cc.Port, TLSConfig: cc.TLSConfig}}, cc.Fallbacks...)
	var spread []*pgconn.FallbackConfig
	for len(all) > 0 {
		same := func(f *pgconn.FallbackConfig) bool { return f.Host == all[0].Host && f.Port == all[0].Port }
		others := slices.IndexFunc(all, func(f *pgconn.FallbackConfig) bool { return !same(f) })
		if others < 0 {
			others = len(all)
		}
		for range r.resolve(ctx, all[0], others) {
			spread = append(spread, all[:others]...)
		}
		all = all[others:]
	}
	cc.Fallbacks = spread[1:]
	cc.DialFunc = r.dial
	cc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, r.failed[host] }
}

// resolve returns the number of the host's addresses, or 1 for pgx to meet the error.
func (r *routes) resolve(ctx context.Context, f *pgconn.FallbackConfig, attempts int) int {
	network, address := pgconn.NetworkAddress(f.Host, f.Port)
	if _, err := netip.ParseAddr(f.Host); err == nil || network != "tcp" {
		return 1
	}
	route := r.dialer.Route()
	n, err := route.Resolve(ctx, network, address)
	if err != nil {
		r.failed[f.Host] = err
		return 1
	}
	r.hosts[address] = &hostRoute{Route: route, attempts: attempts}
	return n
}

// dial is called by pgx for one attempt after the other, and at any time with the
// address of a connection, to cancel its statement.
func (r *routes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host := r.hosts[address]; host != nil {
		return host.next(ctx, network, address)
	}
	return r.dialer.DialContext(ctx, network, address)
}

func (h *hostRoute) next(ctx context.Context, network, address string) (net.Conn, error) {
	first := h.made%h.attempts == 0
	h.made++
	if !first && h.reached {
		return h.Again(ctx)
	}
	// Where no address is left this tells again of those that failed.
	conn, err := h.DialContext(ctx, network, address)
	h.reached = err == nil
	return conn, err
}
