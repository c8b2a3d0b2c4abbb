package dial_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/test/servers"
)

// timeout is that of most dials; only those of nothing but dead addresses take all
// of it, and have short.
const timeout, short = 20 * time.Second, 2 * time.Second

// place is what there is at an address.
type place int

const (
	alive   place = iota
	refused       // nothing listens
	dead          // no answer, not even a refusal
	frozen        // connections are accepted, and nothing is sent
)

// host has a name whose addresses are 127.0.0.2 and so on, or ::1 for one, and a
// port that is the same at all of them.
type host struct {
	addresses []netip.Addr
	port      string
	lookups   int
}

func (h *host) lookup(context.Context, string) ([]netip.Addr, error) {
	h.lookups++
	return h.addresses, nil
}

func (h *host) address() string { return net.JoinHostPort("several.example", h.port) }

func (h *host) dialer() *dial.Dialer { return &dial.Dialer{Lookup: h.lookup, Timeout: timeout} }

// network is of 127.x.y.0: tests run side by side, and those that wait for no answer
// must not meet the servers of others.
func newHost(t *testing.T, network string, places ...place) *host {
	t.Helper()
	h := &host{port: freePort(t, network)}
	for i, place := range places {
		ip := netip.MustParseAddr(network + "." + strconv.Itoa(i+2))
		h.addresses = append(h.addresses, ip)
		furnish(t, net.JoinHostPort(ip.String(), h.port), place)
	}
	return h
}

func freePort(t *testing.T, network string) string {
	t.Helper()
	listener, err := net.Listen("tcp", network+".1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

func furnish(t *testing.T, address string, place place) {
	t.Helper()
	switch place {
	case dead:
		servers.BlackHole(t, address)
	case alive, frozen:
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		var accepting sync.WaitGroup
		accepting.Go(func() { accept(listener, place == alive) })
		t.Cleanup(func() {
			_ = listener.Close()
			accepting.Wait()
		})
	case refused:
	}
}

// accept greets each client, or says nothing, and keeps the connection open.
func accept(listener net.Listener, greet bool) {
	var conns []net.Conn
	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		conns = append(conns, conn)
		if greet {
			_, _ = conn.Write([]byte("hello"))
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func TestEveryAddressGetsItsChance(t *testing.T) {
	t.Parallel()
	for name, places := range map[string][]place{
		"one":                        {alive},
		"first dead":                 {dead, alive},
		"last dead":                  {alive, dead},
		"middle dead":                {alive, dead, alive},
		"all but the last dead":      {dead, dead, dead, dead, dead, dead, dead, alive},
		"all but the last refused":   {refused, refused, alive},
		"refused and dead":           {refused, dead, refused, dead, alive},
		"dead and refused, then one": {dead, refused, alive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, subnet(t), places...)
			start := time.Now()
			conn, err := h.dialer().DialContext(t.Context(), "tcp", h.address())
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > timeout {
				t.Errorf("took %v", took)
			}
		})
	}
}

// subnet returns a part of 127/8 for the test alone.
func subnet(t *testing.T) string {
	t.Helper()
	hash := 0
	for _, c := range t.Name() {
		hash = hash*31 + int(c)
	}
	return "127." + strconv.Itoa(1+hash>>8&0x7f) + "." + strconv.Itoa(hash&0xff)
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for name, addresses := range map[string][]netip.Addr{"IPv6 first": {six, four}, "IPv4 first": {four, six}} {
		for _, deadFamily := range []netip.Addr{four, six} {
			t.Run(name+", dead "+deadFamily.String(), func(t *testing.T) {
				t.Parallel()
				h := &host{port: freePort(t, subnet(t)), addresses: addresses}
				for _, ip := range addresses {
					place := alive
					if ip == deadFamily {
						place = dead
					}
					furnish(t, net.JoinHostPort(ip.String(), h.port), place)
				}
				conn, err := h.dialer().DialContext(t.Context(), "tcp", h.address())
				if err != nil {
					t.Fatal(err)
				}
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	parse := func(list string) (ips []netip.Addr) {
		for text := range strings.FieldsSeq(list) {
			ips = append(ips, netip.MustParseAddr(text))
		}
		return ips
	}
	for given, want := range map[string]string{
		"1.1.1.1 1.1.1.2":                    "1.1.1.1 1.1.1.2",
		"1::1 1::2 1::3 1.1.1.1 1.1.1.2":     "1::1 1.1.1.1 1::2 1.1.1.2 1::3",
		"1.1.1.1 1::1 1::2":                  "1.1.1.1 1::1 1::2",
		"1.1.1.1 ::ffff:1.1.1.1 1.1.1.1 1::": "1.1.1.1 1::",
	} {
		var tried []string
		d := &dial.Dialer{
			Lookup: func(context.Context, string) ([]netip.Addr, error) { return parse(given), nil },
			Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				host, _, err := net.SplitHostPort(address)
				tried = append(tried, host)
				return nil, errors.Join(err, syscall.ECONNREFUSED)
			},
		}
		if _, err := d.DialContext(t.Context(), "tcp", "host:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", given, err)
		}
		if got := strings.Join(tried, " "); got != want {
			t.Errorf("%s: tried %s, want %s", given, got, want)
		}
	}
}

func TestNoAddressAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		places  []place
		timeout bool // and not refused
	}{
		"all refused":      {[]place{refused, refused}, false},
		"all dead":         {[]place{dead, dead, dead}, true},
		"refused and dead": {[]place{refused, dead}, true},
		"dead and refused": {[]place{dead, refused}, true},
		"one dead":         {[]place{dead}, true},
		"one refused":      {[]place{refused}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, subnet(t), tt.places...)
			d := h.dialer()
			d.Timeout = short
			_, err := d.DialContext(t.Context(), "tcp", h.address())
			var timed net.Error
			if got := errors.As(err, &timed) && timed.Timeout(); got != tt.timeout {
				t.Errorf("a timeout: %t, want %t: %v", got, tt.timeout, err)
			}
			if got := errors.Is(err, syscall.ECONNREFUSED); got == tt.timeout {
				t.Errorf("refused: %t: %v", got, err)
			}
			for _, ip := range h.addresses {
				if err == nil || !strings.Contains(err.Error(), ip.String()) {
					t.Errorf("%v does not name %s", err, ip)
				}
			}
		})
	}
}

func TestLookupFails(t *testing.T) {
	t.Parallel()
	failed := &net.DNSError{Err: "server misbehaving", Name: "several.example"}
	for _, tt := range []struct {
		err  error
		want string
	}{{failed, "server misbehaving"}, {nil, "no such host"}} {
		d := &dial.Dialer{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, tt.err }}
		_, err := d.DialContext(t.Context(), "tcp", "several.example:1")
		var dns *net.DNSError
		if !errors.As(err, &dns) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want a DNS error: %s", err, tt.want)
		}
	}
}

// What needs no lookup gets none.
func TestAddressesThatAreNoNames(t *testing.T) {
	t.Parallel()
	socket := t.TempDir() + "/s"
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": socket} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		d := &dial.Dialer{Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, errors.New("looked up " + host)
		}}
		conn, err := d.DialContext(t.Context(), network, listener.Addr().String())
		if err != nil {
			t.Errorf("%s: %v", network, err)
		} else if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCancelledDial(t *testing.T) {
	t.Parallel()
	h := newHost(t, subnet(t), dead, dead)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.dialer().DialContext(ctx, "tcp", h.address()); !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

// A client goes on to the next address when the one that it reached does not answer.
func TestRouteGoesOn(t *testing.T) {
	t.Parallel()
	for name, places := range map[string][]place{
		"frozen first":        {frozen, alive},
		"two frozen":          {frozen, frozen, alive},
		"frozen and dead":     {frozen, dead, alive},
		"frozen and refused":  {refused, frozen, refused, alive},
		"frozen behind alive": {alive, frozen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, subnet(t), places...)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			route := h.dialer().Route()
			greeting, err := "", error(nil)
			for greeting == "" && err == nil {
				greeting, err = greet(ctx, route, h.address())
			}
			if err != nil || greeting != "hello" || ctx.Err() != nil {
				t.Errorf("%q, %v, %v", greeting, err, ctx.Err())
			}
			if h.lookups != 1 {
				t.Errorf("%d lookups", h.lookups)
			}
		})
	}
}

// greet reads what the next address sends. It is empty if that times out.
func greet(ctx context.Context, route *dial.Route, address string) (string, error) {
	conn, err := route.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	greeting := make([]byte, 5)
	n, err := conn.Read(greeting)
	if errors.Is(err, os.ErrDeadlineExceeded) && route.Left() {
		err = nil
	}
	return string(greeting[:n]), err
}

// With no other address there is no limit but the caller's.
func TestOneAddressIsNotCutShort(t *testing.T) {
	t.Parallel()
	h := newHost(t, subnet(t), frozen)
	route := h.dialer().Route()
	conn, err := route.DialContext(t.Context(), "tcp", h.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, limited := conn.(interface{ NetConn() net.Conn }); limited || route.Left() {
		t.Errorf("got a %T; an address is left: %t", conn, route.Left())
	}
	again, err := route.Again(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if again.RemoteAddr().String() != conn.RemoteAddr().String() {
		t.Errorf("again leads to %s, not to %s", again.RemoteAddr(), conn.RemoteAddr())
	}
}

// Whoever wins, no other connection stays open.
func TestLosersAreClosed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var opened []*countedConn
	h := newHost(t, subnet(t), alive, alive, alive)
	d := h.dialer()
	d.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(address, h.addresses[2].String()+":") {
			<-ctx.Done() // connected, and late
		}
		counted := &countedConn{Conn: conn}
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, counted)
		return counted, nil
	}
	conn, err := d.DialContext(t.Context(), "tcp", h.address())
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	open := slices.DeleteFunc(slices.Clone(opened), func(c *countedConn) bool { return c.closed })
	if len(opened) != 3 || len(open) != 1 {
		t.Errorf("%d connections, %d still open; want 3 and 1", len(opened), len(open))
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

type countedConn struct {
	net.Conn
	closed bool
}

func (c *countedConn) Close() error {
	c.closed = true
	return c.Conn.Close()
}
