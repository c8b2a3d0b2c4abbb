package strain

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// attack is a crowd of clients that do the same.
type attack struct {
	name    string
	clients int
	// pause is how long a client waits before it comes again.
	pause time.Duration
	// once is for clients that come a single time, perSecond of them.
	once      bool
	perSecond int
	// bare is for connections that speak no TLS where the server does.
	bare bool
	// behave uses a connection badly. What the server answers to a request that is wrong is an error if it is too good.
	behave func(ctx context.Context, c net.Conn) error
}

const request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

// attacks returns all of them. Each is paced so that the clients leave processor time to the server: what is measured is
// the server and not the machine.
func attacks() []attack {
	all := []attack{
		{name: "none, to compare"},
		{name: "10,000 that send nothing", clients: 10_000, once: true, perSecond: 1500, bare: true, behave: func(context.Context, net.Conn) error { return nil }},
		{name: "slow headers", clients: 400, pause: time.Second, behave: func(ctx context.Context, c net.Conn) error {
			return drip(ctx, c, "GET /health HTTP/1.1\r\nHost: x\r\n", "X-Slow: 1\r\n")
		}},
		{name: "slow bodies", clients: 400, pause: time.Second, behave: func(ctx context.Context, c net.Conn) error {
			return drip(ctx, c, "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n", "x")
		}},
		{name: "answers not taken", clients: 400, pause: time.Second, behave: func(_ context.Context, c net.Conn) error {
			_, _ = io.WriteString(c, strings.Repeat("GET /health/history HTTP/1.1\r\nHost: x\r\n\r\n", 50))
			return nil
		}},
		{name: "huge headers", clients: 50, pause: 200 * time.Millisecond, behave: func(_ context.Context, c net.Conn) error {
			_, _ = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
			return nil
		}},
		{name: "flood from one address", clients: 20, pause: 20 * time.Millisecond, behave: ask},
		{name: "flood from many addresses", clients: 200, pause: 200 * time.Millisecond, behave: ask},
		{name: "half a TLS handshake", clients: 400, pause: time.Second, bare: true, behave: func(_ context.Context, c net.Conn) error {
			_, _ = c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}) // the begin of a ClientHello
			return nil
		}},
	}
	for _, r := range wrongRequests {
		all = append(all, attack{name: r.name, clients: 10, pause: 200 * time.Millisecond, behave: r.send})
	}
	return all
}

// ask asks once and reads the answer.
func ask(_ context.Context, c net.Conn) error {
	_, _ = io.WriteString(c, request)
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = c.Read(make([]byte, 4096))
	return c.Close()
}

// drip sends the first part, and then the next one each half second until the server closes the connection.
func drip(ctx context.Context, c net.Conn, first, next string) error {
	_, err := io.WriteString(c, first)
	for err == nil && poll.Pause(ctx, 500*time.Millisecond) == nil {
		_, err = io.WriteString(c, next)
	}
	return nil
}

// wrongRequest is one that must get exactly one answer at the most, with one of the codes; or none.
type wrongRequest struct {
	name, text string
	codes      string
}

const smuggled = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"

var wrongRequests = []wrongRequest{
	{"CL and TE", "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, "400 405"},
	{"two lengths", "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n" + smuggled, "400"},
	{"length with a sign", "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + smuggled, "400"},
	{"TE twice", "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled, "400 501"},
	{"unknown TE", "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, "400 501"},
	{"folded header", "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled, "400 405 501"},
	{"space before the colon", "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length : 40\r\n\r\n" + smuggled, "400"},
	{"chunks of nonsense", "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n" + smuggled, "400 405"},
	{"a chunk of 2^64", "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400 405"},
	{"two hosts", "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
	{"no host", "GET /health HTTP/1.1\r\n\r\n", "400"},
	{"bare LF", "GET /health HTTP/1.1\nHost: x\nConnection: close\n\n", "200 400 503"},
	{"NUL in a header", "GET /health HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n", "400"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "400 404 405 505"},
	{"HTTP/9.9", "GET /health HTTP/9.9\r\nHost: x\r\n\r\n", "400 505"},
	{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
	{"upgrade", "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200 400 503"},
	{"//", closing("//health"), "301 307 308 400 404"},
	{"..", closing("/health/../../etc/passwd"), "301 307 308 400 404"},
	{"%2f", closing("/health%2flive"), "200 400 404"}, // decoded, it is a path that everyone may ask for
	{"%2e%2e", closing("/%2e%2e/%2e%2e/etc/passwd"), "301 307 308 400 404"},
	{"%00", closing("/health%00"), "400 404"},
	{"absolute form", closing("http://169.254.169.254/latest/meta-data"), "301 400 404"},
	{"CONNECT", "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400 404 405"},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200 204 400 404 405"},
	{"TRACE", "TRACE /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400 405"},
	{"a path of 60 kB", closing("/" + strings.Repeat("a", 60<<10)), "400 404 414 431"},
}

func closing(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
}

// send sends it, and holds what comes back against what may.
func (r wrongRequest) send(_ context.Context, c net.Conn) error {
	_, _ = io.WriteString(c, r.text)
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	answer, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	_ = c.Close()
	if n := bytes.Count(answer, []byte("HTTP/1.")); n > 1 {
		return fmt.Errorf("%d answers to %q", n, r.name)
	}
	if fields := strings.Fields(string(answer[:min(len(answer), 64)])); len(fields) > 1 && !slices.Contains(strings.Fields(r.codes), fields[1]) {
		return fmt.Errorf("%q was answered with %s, want one of %s", r.name, fields[1], r.codes)
	}
	return nil
}

// crowd is an attack under way.
type crowd struct {
	attack
	target   string
	tls      bool
	made     atomic.Int64 // connections
	failed   atomic.Int64 // that could not be made
	mu       sync.Mutex
	problems map[string]int
}

// run lets the clients behave until ctx is done. They come from addresses of their own where the name says so.
func (c *crowd) run(ctx context.Context) {
	var clients sync.WaitGroup
	defer clients.Wait()
	for i := range c.clients {
		if c.once && i%100 == 99 {
			_ = poll.Pause(ctx, 100*time.Second/time.Duration(c.perSecond))
		}
		if ctx.Err() != nil {
			return
		}
		clients.Go(func() {
			for first := true; ctx.Err() == nil && (first || !c.once); first = false {
				c.visit(ctx, i)
				_ = poll.Pause(ctx, c.pause)
			}
		})
	}
}

// visit makes a connection, and has it until the server or the client closes it.
func (c *crowd) visit(ctx context.Context, client int) {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	if strings.Contains(c.name, "many") || c.clients > 1000 {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(client/250%200), 1+byte(client%250))}
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.target)
	if err != nil {
		c.failed.Add(1)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c.made.Add(1)
	if c.tls && !c.bare {
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		secure := tls.Client(conn, anyCertificate())
		if secure.HandshakeContext(ctx) != nil {
			c.failed.Add(1)
			return
		}
		_ = conn.SetDeadline(time.Time{})
		conn = secure
	}
	if err := c.behave(ctx, conn); err != nil && ctx.Err() == nil {
		c.mu.Lock()
		c.problems[err.Error()]++
		c.mu.Unlock()
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, _ = conn.Read(make([]byte, 1)) // until the server closes, or an answer comes that is not taken
}
