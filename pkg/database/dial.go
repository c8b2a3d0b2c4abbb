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

// dialer completes the configuration of each dial: the password, the TLS files, and
// whether statement_timeout is sent as a startup parameter.
type dialer struct {
	config Config
	// connected is set by the first dial that succeeds, refused when a pooler refuses
	// the startup parameter.
	connected, refused atomic.Bool
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
		// The error is kept as text: an ENOENT in the chain would look like the missing
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

// watchTLS calls WatchTLS once per configuration.
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

// checkTLSFiles rejects files that could block when they are opened, such as a pipe. The
// parser reports a missing file.
func (c Config) checkTLSFiles() error {
	for _, name := range []string{c.SSLRootCert, c.SSLCert, c.SSLKey} {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
	}
	return nil
}

// offerStatementTimeout notes when a pooler refuses the parameter. Before the first dial has
// succeeded, the last attempt is made twice, so that this dial can succeed without the
// parameter.
func (d *dialer) offerStatementTimeout(cc *pgx.ConnConfig) {
	closeOnFatal := cc.OnPgError
	cc.OnPgError = func(conn *pgconn.PgConn, e *pgconn.PgError) bool {
		if refusesParameter(e) {
			d.refused.Store(true)
		}
		return closeOnFatal(conn, e)
	}
	if !d.connected.Load() {
		last := &pgconn.FallbackConfig{Host: cc.Host, Port: cc.Port, TLSConfig: cc.TLSConfig}
		if n := len(cc.Fallbacks); n > 0 {
			last = cc.Fallbacks[n-1]
		}
		cc.Fallbacks = append(cc.Fallbacks, last)
	}
}

// withdrawStatementTimeout removes the parameter if a pooler has refused it.
func (d *dialer) withdrawStatementTimeout(c *pgconn.Config) {
	if d.refused.Load() {
		delete(c.RuntimeParams, statementTimeoutKey)
	}
}

// refusesParameter reports whether PgBouncer ("unsupported startup parameter") or Amazon's
// RDS Proxy ("currently doesn't support the option") refused a login because of the
// parameter. Both end the connection; an error of a statement does not.
func refusesParameter(e *pgconn.PgError) bool {
	return e.Severity == "FATAL" && strings.Contains(e.Message, statementTimeoutKey)
}

func (d *dialer) afterConnect(context.Context, *pgx.Conn) error {
	d.connected.Store(true)
	return nil
}

// routes chooses the addresses for one dial of pgx.
//
// By itself pgx tries all addresses with TLS and then all without, and each attempt may
// use all of the time. Instead, pgx gets a list with the same host once per address and
// attempt. As in libpq, an address is tried with TLS and without, if both are allowed,
// before the next address is. The route of the host chooses the address.
type routes struct {
	dialer *dial.Dialer
	hosts  map[string]*hostRoute // by name and port; without IP addresses
	failed map[string]error      // by host, why it could not be resolved
}

// hostRoute is the route to one host.
type hostRoute struct {
	*dial.Route
	attempts int  // per address
	made     int  // attempts so far
	reached  bool // the present address could be connected to
}

func newRoutes(c Config) *routes {
	return &routes{
		dialer: &dial.Dialer{Lookup: c.Lookup, Dial: c.DialFunc},
		hosts:  make(map[string]*hostRoute),
		failed: make(map[string]error),
	}
}

// spread resolves the hosts of cc and repeats the attempts of each host per address.
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

// resolve returns the number of the host's addresses. It returns 1 if resolving fails, so
// that pgx makes an attempt and reports the error.
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

// dial is called by pgx for each attempt. To cancel a statement, pgx also calls it with the
// address of a connection.
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
	// If no address is left, this returns the earlier errors again.
	conn, err := h.DialContext(ctx, network, address)
	h.reached = err == nil
	return conn, err
}
