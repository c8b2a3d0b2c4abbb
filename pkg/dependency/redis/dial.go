package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxRedisReply is far above what PING and INFO answer together (some 6 kB).
const maxRedisReply = 1 << 20

// dial connects with TLS unless that is nil.
func (r *Checker) dial(ctx context.Context, route *dial.Route, network, addr string, secure *tls.Config) (*boundedConn, error) {
	conn, err := route.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		secured := tls.Client(conn, withServerName(secure, addr))
		if err := r.handshake(ctx, secured); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secured
	}
	return &boundedConn{Conn: conn}, nil
}

func (r *Checker) network() string {
	if strings.HasPrefix(r.options.Addr, "/") {
		return "unix"
	}
	return "tcp"
}

func withServerName(cfg *tls.Config, addr string) *tls.Config {
	if host, _, err := net.SplitHostPort(addr); err == nil && cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	return cfg
}

// share returns one part of so many of the time that is left.
func (r *Checker) share(ctx context.Context, parts int) time.Duration {
	left := r.options.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return left / time.Duration(parts)
}

// handshake leaves time for one more question when it is not answered: a Redis
// without TLS takes a ClientHello for an unfinished command and waits for the
// rest, just as a frozen one does.
func (r *Checker) handshake(ctx context.Context, conn *tls.Conn) error {
	limited, cancel := context.WithTimeout(ctx, r.share(ctx, 2))
	defer cancel()
	err := conn.HandshakeContext(limited)
	if (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)) && r.speaksPlain(ctx, conn.RemoteAddr()) {
		return &health.Fault{
			Reason:  health.ReasonTLS,
			Message: "Redis does not offer TLS at {ADDRESS}, and {TLS_IS_ON}",
			Err:     err,
		}
	}
	return err
}

// speaksPlain reports whether the server at addr answers a PING without TLS.
func (r *Checker) speaksPlain(ctx context.Context, addr net.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout/4)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	reply := make([]byte, 1)
	_, err = conn.Read(reply)
	return err == nil && (reply[0] == '+' || reply[0] == '-')
}

// boundedConn limits what one request may be answered with: go-redis reads a line
// or a value of any length into memory.
type boundedConn struct {
	net.Conn
	read int
}

// NetConn returns the connection whose answers are limited.
func (c *boundedConn) NetConn() net.Conn { return c.Conn }

var errReplyTooLarge = errors.New("the reply is larger than the limit")

// Write begins a new request. A server that has hung up may have said why in a
// TLS alert: with TLS 1.3, that is where it asks for a certificate of ours.
func (c *boundedConn) Write(b []byte) (int, error) {
	c.read = 0
	n, err := c.Conn.Write(b)
	if hungUp(err) {
		if _, why := c.Conn.Read(make([]byte, 1)); dependency.IsTLS(why) {
			err = why
		}
	}
	return n, err
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.read > maxRedisReply {
		return 0, errReplyTooLarge
	}
	n, err := c.Conn.Read(b)
	c.read += n
	return n, err
}
