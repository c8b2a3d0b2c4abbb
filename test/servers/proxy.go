package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers/install"
)

// ProxyProgram is a proxy that Debian has.
type ProxyProgram string

// The proxies. Nginx and HAProxy speak HTTP, Twemproxy Redis's protocol.
const (
	Nginx     ProxyProgram = "nginx"
	HAProxy   ProxyProgram = "haproxy"
	Twemproxy ProxyProgram = "nutcracker"
)

// ProxyOptions say how to start a proxy.
type ProxyOptions struct {
	Options
	// Program is the proxy. Required.
	Program ProxyProgram
	// Target is the host:port of the only server behind it. Required; it may be down.
	Target string
	// TCP lets HAProxy forward connections, and understand nothing of HTTP.
	TCP bool
	// HostHeader is what nginx sends as Host; by default the client's own.
	HostHeader string
}

// Proxy stands between a client and one server.
type Proxy struct {
	*Process
	options ProxyOptions
	// stats is the port that Twemproxy insists on, beside the one that it serves.
	stats            int
	statsReservation io.Closer
}

// NewProxy prepares a proxy.
func NewProxy(o ProxyOptions) (*Proxy, error) {
	p, err := newProcess(string(o.Program), o.Options)
	if err != nil {
		return nil, err
	}
	x := &Proxy{Process: p, options: o}
	if x.stats, x.statsReservation, err = reservePort(loopback); err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s: %w", o.Program, err), p.Close())
	}
	x.path = "/usr/sbin/" + string(o.Program)
	x.prepare = x.configure
	x.ready = func(ctx context.Context) error { return dial(ctx, x.Addr()) }
	return x, nil
}

func (x *Proxy) configure(ctx context.Context) error {
	conf := filepath.Join(x.dir, "proxy.conf")
	var needed, text string
	switch x.options.Program {
	case Nginx:
		needed, text = "nginx-light", x.nginx()
		x.args = []string{"-p", x.dir, "-e", "stderr", "-c", conf}
	case HAProxy:
		needed, text = "haproxy", x.haproxy()
		x.args = []string{"-db", "-f", conf}
	case Twemproxy:
		needed, text = "nutcracker", x.twemproxy()
		x.args = []string{"-c", conf, "-a", loopback, "-s", strconv.Itoa(x.stats)}
	default:
		return fmt.Errorf("no proxy is called %q", x.options.Program)
	}
	if err := install.Packages(ctx, x.progress(), needed); err != nil {
		return err
	}
	return x.writeFile(conf, text)
}

func (x *Proxy) nginx() string {
	host := x.options.HostHeader
	if host == "" {
		host = "$http_host"
	}
	return fmt.Sprintf(`daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
	server {
		listen %s;
		location / { proxy_pass http://%s; proxy_set_header Host %s; }
	}
}
`, x.Addr(), x.options.Target, host)
}

func (x *Proxy) haproxy() string {
	mode := "http"
	if x.options.TCP {
		mode = "tcp"
	}
	return fmt.Sprintf(`defaults
	mode %s
	timeout connect 1s
	timeout client 30s
	timeout server 30s
frontend in
	bind %s
	default_backend out
backend out
	server only %s check inter 100ms
`, mode, x.Addr(), x.options.Target)
}

func (x *Proxy) twemproxy() string {
	return fmt.Sprintf("proxy:\n  listen: %s\n  hash: fnv1a_64\n  redis: true\n  servers:\n   - %s:1\n", x.Addr(), x.options.Target)
}

// Endpoint returns the proxy's URL.
func (x *Proxy) Endpoint() string {
	if x.options.Program == Twemproxy {
		return "redis://" + x.Addr()
	}
	return "http://" + x.Addr()
}

// Env returns nothing: the variables are those of the server behind it.
func (x *Proxy) Env() []Var { return nil }

// Close stops the proxy for good and gives its ports back.
func (x *Proxy) Close() error { return errors.Join(x.Process.Close(), x.statsReservation.Close()) }

// BlackHole makes address one that answers no connection, as a machine that is gone
// does, until the test ends: a socket listens there whose queue is full.
func BlackHole(tb testing.TB, address string) {
	tb.Helper()
	fd, err := listenWithoutQueue(netip.MustParseAddrPort(address))
	if err != nil {
		tb.Fatalf("listen on %s: %v", address, err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	for range 10 {
		conn, err := dialBriefly(tb.Context(), address)
		if err != nil {
			if !os.IsTimeout(err) {
				tb.Fatalf("fill the queue of %s: %v", address, err)
			}
			return
		}
		tb.Cleanup(func() { _ = conn.Close() })
	}
	tb.Fatalf("%s still takes connections", address)
}

func dialBriefly(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// listenWithoutQueue listens as net.Listen cannot: with room for one connection.
func listenWithoutQueue(address netip.AddrPort) (int, error) {
	family := syscall.AF_INET
	var to syscall.Sockaddr
	if address.Addr().Is4() {
		to = &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	} else {
		family = syscall.AF_INET6
		to = &syscall.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, to)
	}
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("set up the socket: %w", err)
	}
	return fd, nil
}

// Switch is one address in front of a server that can be changed under way, as a
// virtual address is when a standby takes over. It forwards TCP and understands
// nothing of it. Its methods may be called concurrently.
type Switch struct {
	listener net.Listener
	wait     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target string
	open   map[net.Conn]bool
	closed bool
}

// NewSwitch starts a switch that leads to target, a host:port.
func NewSwitch(target string) (*Switch, error) {
	listener, err := net.Listen("tcp", address(loopback, 0))
	if err != nil {
		return nil, err
	}
	s := &Switch{listener: listener, target: target, open: map[net.Conn]bool{}}
	s.wait.Go(s.serve)
	return s, nil
}

// RunSwitch starts a switch and ends it with the test.
func RunSwitch(tb testing.TB, target string) *Switch {
	tb.Helper()
	s, err := NewSwitch(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Port returns the switch's own TCP port.
func (s *Switch) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Point leads new connections to another target. Those that are open stay with
// the target they have, as long as that lives.
func (s *Switch) Point(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
}

// Cut closes all open connections.
func (s *Switch) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close() // its forwarder sees it
	}
}

func (s *Switch) serve() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.wait.Go(func() { s.forward(client) })
	}
}

// forward ends both connections as soon as one side has ended.
func (s *Switch) forward(client net.Conn) {
	defer s.track(client)()
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return // and so is the client's
	}
	defer s.track(server)()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(client, server) // how a connection ends is its users' affair
		_ = client.Close()
	}()
	_, _ = io.Copy(server, client)
	_ = server.Close()
	<-back
}

// track notes an open connection until done, which closes it.
func (s *Switch) track(conn net.Conn) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	if s.closed {
		_ = conn.Close()
	}
	return func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	}
}

// Close ends the switch and all its connections.
func (s *Switch) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Cut()
	s.wait.Wait()
}
