package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/relay"
)

// fault is a way in which a service goes wrong.
type fault struct {
	name string
	// alone keeps the other cells of the kind away from the server.
	alone bool
	// direct leads the sidecar to the server with no relay between them.
	direct bool
	// secure lets it speak TLS.
	secure bool
	// named lets it look up a name.
	named bool
	// lifetime is how old connections may become, where the fault shows in new ones only.
	lifetime time.Duration
	// lasts is for how long it is kept up at the least.
	lasts  func(pace) time.Duration
	breaks func(ctx context.Context, c *cell) (mend func(context.Context) error, err error)
}

// faults are all there are, in the order of the table.
func faults() []fault {
	return []fault{
		wire("refused", func(pace) relay.Fault { return relay.Fault{Refuse: true} }),
		wire("reset in the middle", func(pace) relay.Fault { return relay.Fault{CutAfter: 3, Reset: true} }),
		wire("half-open", func(pace) relay.Fault { return relay.Fault{Forget: true} }),
		wire("black hole", func(pace) relay.Fault { return relay.Fault{Drop: true} }),
		slow("slow, below the timeout", 1./12),
		slow("slow, at the timeout", 1),
		slow("slow, above the timeout", 1.5),
		wire("trickled bytes", func(p pace) relay.Fault { return relay.Fault{Trickle: p.timeout / 5} }),
		wire("cut after 40 bytes", func(pace) relay.Fault { return relay.Fault{CutAfter: 40} }),
		wire("garbage", func(pace) relay.Fault {
			return relay.Fault{Garbage: []byte("\x00\xff{]\r\n220 mail.example ESMTP\r\n")}
		}),
		{name: "frozen", alone: true, direct: true, lasts: func(p pace) time.Duration { return p.frozen }, breaks: freeze},
		{name: "killed", alone: true, direct: true, breaks: kill},
		{name: "out of connections", alone: true, breaks: exhaust},
		{name: "read-only or disk full", alone: true, lifetime: 2 * time.Second, breaks: func(ctx context.Context, c *cell) (func(context.Context) error, error) {
			return c.readOnly(ctx, c.relay)
		}},
		{name: "password changed", alone: true, breaks: func(ctx context.Context, c *cell) (func(context.Context) error, error) {
			return c.password(ctx, c.relay)
		}},
		{name: "certificate ended", secure: true, breaks: certified(-time.Hour, "127.0.0.1")},
		{name: "certificate of another name", secure: true, breaks: certified(24*time.Hour, "elsewhere.example")},
		{name: "name does not resolve", named: true, breaks: forgetName},
		elsewhere("wrong server", func(s *subject) string { return s.wrong }),
		elsewhere("balancer without a server", func(s *subject) string { return s.balancer }),
	}
}

// wire is a fault of the relay.
func wire(name string, of func(pace) relay.Fault) fault {
	return fault{name: name, breaks: func(_ context.Context, c *cell) (func(context.Context) error, error) {
		return func(context.Context) error { return c.relay.Mend() }, c.relay.Break(of(c.pace))
	}}
}

// slow delays each piece of an answer by a share of the timeout.
func slow(name string, share float64) fault {
	return fault{name: name, breaks: func(_ context.Context, c *cell) (func(context.Context) error, error) {
		c.relay.Delay.Store(int64(share * float64(c.timeout)))
		return func(context.Context) error { c.relay.Delay.Store(0); return nil }, nil
	}}
}

// elsewhere leads the address to another server.
func elsewhere(name string, where func(*subject) string) fault {
	return fault{name: name, breaks: func(_ context.Context, c *cell) (func(context.Context) error, error) {
		c.relay.To(where(c.subject))
		return c.back, nil
	}}
}

// back leads the address to where it led before.
func (c *cell) back(context.Context) error {
	c.relay.To(c.target)
	return nil
}

func freeze(_ context.Context, c *cell) (func(context.Context) error, error) {
	return func(context.Context) error { return c.server.Thaw() }, c.server.Freeze()
}

func kill(_ context.Context, c *cell) (func(context.Context) error, error) {
	return c.server.Start, c.server.Kill()
}

// exhaust takes the server's connections, or those of the system where it has no limit of its
// own.
func exhaust(ctx context.Context, c *cell) (func(context.Context) error, error) {
	if c.exhaust != nil {
		return c.exhaust(ctx, c.relay)
	}
	return wire("", func(pace) relay.Fault { return relay.Fault{Full: true} }).breaks(ctx, c)
}

// certified leads to the same server, with a certificate by the same authority that is valid
// for so long, for one name.
func certified(valid time.Duration, name string) func(context.Context, *cell) (func(context.Context) error, error) {
	return func(_ context.Context, c *cell) (func(context.Context) error, error) {
		now := time.Now()
		cert := c.vouches.Issue(c.t, now.Add(-48*time.Hour), now.Add(valid), name)
		c.relay.To(c.secured(c.t, cert))
		return c.back, nil
	}
}

// forgetName takes the name out of the DNS, and cuts the connection that was made by it.
func forgetName(_ context.Context, c *cell) (func(context.Context) error, error) {
	c.dns.set(c.host, false)
	c.relay.HangUp()
	return func(context.Context) error { c.dns.set(c.host, true); return nil }, nil
}

// nameServer is a DNS server in which names come and go. Each is 127.0.0.1.
type nameServer struct {
	file string // as /etc/resolv.conf

	mu    sync.Mutex
	known map[string]bool
}

// nameServerAddress is one that no other program is likely to have.
const nameServerAddress = "127.88.0.53"

// startNameServer listens on the port that all resolvers ask, which takes root.
func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", nameServerAddress+":53")
	must(t, err)
	n := &nameServer{file: filepath.Join(t.TempDir(), "resolv.conf"), known: map[string]bool{}}
	must(t, os.WriteFile(n.file, []byte("nameserver "+nameServerAddress+"\n"), 0o600))
	var work sync.WaitGroup
	work.Go(func() { n.serve(conn) })
	t.Cleanup(func() {
		_ = conn.Close()
		work.Wait()
	})
	return n
}

// within returns the commands that give the program after them this name server: a mount of
// its own over /etc/resolv.conf.
func (n *nameServer) within() []string {
	return []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, n.file}
}

func (n *nameServer) set(name string, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[name] = known
}

func (n *nameServer) serve(conn net.PacketConn) {
	packet := make([]byte, 4<<10)
	for {
		size, from, err := conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && size > headerSize {
			_, _ = conn.WriteTo(n.answer(packet[:size]), from)
		}
	}
}

// The parts of a DNS message, see RFC 1035, section 4.1.
const (
	headerSize  = 12
	typeA       = 1
	noSuchName  = 3
	isAnAnswer  = 0x84
	questionEnd = 5 // the root's empty label, type and class
)

// answer returns the question, and the address where it is for one and the name is known.
func (n *nameServer) answer(question []byte) []byte {
	var name []byte
	rest := question[headerSize:]
	for len(rest) > questionEnd && rest[0] > 0 && int(rest[0]) < len(rest) {
		name = append(append(name, rest[1:1+rest[0]]...), '.')
		rest = rest[1+rest[0]:]
	}
	if len(rest) < questionEnd {
		return nil
	}
	kind := binary.BigEndian.Uint16(rest[1:])
	answer := bytes.Clone(question[:len(question)-len(rest)+questionEnd])
	copy(answer[2:], []byte{isAnAnswer, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	n.mu.Lock()
	known := n.known[string(bytes.ToLower(bytes.TrimSuffix(name, []byte("."))))]
	n.mu.Unlock()
	switch {
	case !known:
		answer[3] = noSuchName
	case kind == typeA:
		answer[7] = 1
		answer = append(answer, 0xc0, headerSize, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return answer
}

// authority is one that all certificates here are by.
func authority(t *testing.T) *checking.Authority {
	t.Helper()
	return checking.NewAuthority(t, time.Now().Add(-72*time.Hour), time.Now().Add(72*time.Hour))
}
