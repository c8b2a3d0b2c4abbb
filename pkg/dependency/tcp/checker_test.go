package tcp_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/dependency/tcp"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

const (
	day = 24 * time.Hour
	// patience is the timeout of a check that ends by itself.
	patience = 20 * time.Second
)

// open returns the checker that NAME_CHECK=url and NAME_CA_FILE=file make, as the program
// opens it.
func open(t *testing.T, url, file string, timeout time.Duration) dependency.Checker {
	t.Helper()
	service, err := registry.Kinds().Named("queue", url)
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := service.Settings.(*tcp.Settings)
	if !ok {
		t.Fatalf("%s is of the kind %s", url, service.Kind)
	}
	settings.CAFile = file
	c, err := dependency.Open(settings, dependency.Instance{Prefix: service.Prefix(), Timeout: timeout, CertificateWarning: 7 * day})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// closed returns an address where nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	l := checking.Listen(t)
	_ = l.Close()
	return l.Addr().String()
}

func value(seen health.Observation, name string) string {
	for _, v := range seen.Values {
		if v.Name == name {
			return v.Text
		}
	}
	return ""
}

func TestTCP(t *testing.T) {
	t.Parallel()
	backlog := checking.Listen(t) // the system accepts, and nobody takes it from there
	t.Cleanup(func() { _ = backlog.Close() })
	for name, c := range map[string]struct {
		addr string
		want health.Reason // empty: healthy
	}{
		"accepts and never reads": {checking.Answering(t, checking.Drain), ""},
		"is not accepted":         {backlog.Addr().String(), ""},
		"closes at once":          {checking.Answering(t, func(net.Conn) {}), ""},
		"sends without end":       {checking.Answering(t, func(c net.Conn) { checking.Flood(c, strings.Repeat("x", 1<<20)) }), ""},
		"nothing listens":         {closed(t), health.ReasonRefused},
		"no such host":            {"server.invalid:80", health.ReasonDNS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, err := open(t, "tcp://"+c.addr, "", patience).Check(t.Context())
			if c.want != "" {
				_ = checking.WantFault(t, err, c.want)
			} else if err != nil {
				t.Fatal(err)
			}
			if got := value(checking.Declared(t, tcp.Kind(), seen), "endpoint"); got != c.addr || len(seen.Values) != 1 {
				t.Errorf("it reports %v, want the endpoint %s alone", seen.Values, c.addr)
			}
		})
	}
}

// A connection is closed at once, and nothing is sent over it.
func TestTCPSendsNothing(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	addr := checking.Answering(t, func(c net.Conn) {
		text, err := io.ReadAll(c)
		got <- string(text) + errorText(err)
	})
	checking.Healthy(t, open(t, "tcp://"+addr, "", patience))
	if text := <-got; text != "" {
		t.Errorf("the server got %q, want an end and nothing before it", text)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTCPFrozen(t *testing.T) {
	t.Parallel()
	server := servers.RunRedis(t, servers.RedisOptions{})
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	checking.Healthy(t, open(t, "tcp://"+server.Addr(), "", patience))
	checking.Fails(t, open(t, "tls://"+server.Addr(), "", time.Second), health.ReasonTimeout)
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, open(t, "tcp://"+server.Addr(), "", patience), health.ReasonRefused)
}

// The addresses of a host are tried in turn.
func TestTCPSeveralAddresses(t *testing.T) {
	t.Parallel()
	addr := checking.Answering(t, checking.Drain)
	_, port, _ := net.SplitHostPort(addr)
	lookup := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.26.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	checking.Healthy(t, tcp.New(tcp.Options{Addr: "several.example:" + port, Timeout: patience, Lookup: lookup}))
}

func TestTLSSeveralAddresses(t *testing.T) {
	authority := checking.NewAuthority(t, time.Now(), time.Now().Add(90*day))
	cert := authority.Issue(t, time.Now(), time.Now().Add(90*day), "several.example")
	addr := checking.Answering(t, checking.Handshaking(cert, checking.Drain))
	_, text, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	config := dependency.TLSConfig(authority.File(t), "several.example", nil)
	config.ServerName = "several.example"
	checking.SeveralAddresses(t, 25, port, false, func(_ *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		return tcp.New(tcp.Options{Addr: "several.example:" + text, TLS: config, Timeout: timeout, Lookup: lookup})
	})
}

// Another address is tried where the certificate of one does not pass.
func TestTLSOneAddressIsAnotherServer(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, time.Now(), time.Now().Add(90*day))
	good := authority.Issue(t, time.Now(), time.Now().Add(90*day), "several.example")
	other := authority.Issue(t, time.Now(), time.Now().Add(90*day), "other.example")
	listener := checking.Listen(t)
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	serve(t, net.JoinHostPort("127.27.0.2", port), checking.Handshaking(other, checking.Drain))
	serve(t, net.JoinHostPort("127.27.0.3", port), checking.Handshaking(good, checking.Drain))
	lookup := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.27.0.2"), netip.MustParseAddr("127.27.0.3")}, nil
	}
	config := dependency.TLSConfig(authority.File(t), "several.example", nil)
	config.ServerName = "several.example"
	checking.Healthy(t, tcp.New(tcp.Options{Addr: "several.example:" + port, TLS: config, Timeout: patience, Lookup: lookup}))
}

// serve speaks on each connection to an address until the test ends.
func serve(t *testing.T, addr string, speak func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			speak(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
}

func TestTLS(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	in := func(days int) time.Time { return now.Add(time.Duration(days) * day) }
	authority, stranger := checking.NewAuthority(t, in(-900), in(900)), checking.NewAuthority(t, in(-900), in(900))
	issued := func(by *checking.Authority, from, until int, name string) func(net.Conn) {
		return checking.Handshaking(by.Issue(t, in(from), in(until), name), checking.Drain)
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  health.Reason // empty: healthy
		end   int           // days from now; 0: no certificate is seen
		words string
	}{
		"good":                {issued(authority, -1, 90, "127.0.0.1"), "", 90, ""},
		"below an authority":  {issued(authority.Below(t, in(-1), in(30)), -1, 90, "127.0.0.1"), "", 30, ""},
		"another's name":      {issued(authority, -1, 90, "example.com"), health.ReasonTLS, 90, ""},
		"another's address":   {issued(authority, -1, 90, "127.0.0.2"), health.ReasonTLS, 90, ""},
		"unknown authority":   {issued(stranger, -1, 90, "127.0.0.1"), health.ReasonTLS, 90, ""},
		"ended":               {issued(authority, -90, -1, "127.0.0.1"), health.ReasonCertificateExpired, -1, "ended at"},
		"about to end":        {issued(authority, -90, 3, "127.0.0.1"), health.ReasonCertificateExpiring, 3, "ends at"},
		"not yet valid":       {issued(authority, 1, 90, "127.0.0.1"), health.ReasonTLS, 90, "not valid before"},
		"another protocol":    {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); checking.Drain(c) }, health.ReasonTLS, 0, "does not answer a TLS handshake with TLS"},
		"garbage without end": {func(c net.Conn) { checking.Flood(c, strings.Repeat("z", 1<<20)) }, health.ReasonTLS, 0, "does not answer a TLS handshake with TLS"},
		"garbage in records":  {checking.Saying("\x16\x03\x03\x00\x05garba"), health.ReasonTLS, 0, ""},
		"closes":              {func(net.Conn) {}, health.ReasonReset, 0, ""},
		"closes after hello":  {checking.ReadSome, health.ReasonReset, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := checking.Answering(t, c.serve)
			seen, err := open(t, "tls://"+addr, authority.File(t), patience).Check(t.Context())
			if c.want != "" {
				checking.Says(t, checking.WantFault(t, err, c.want), c.words)
			} else if err != nil {
				t.Fatal(err)
			}
			checking.Declared(t, tcp.Kind(), seen)
			if answered := c.want == "" || c.want == health.ReasonCertificateExpiring; (value(seen, "tls_version") == "TLS 1.3") != answered {
				t.Errorf("it reports %v", seen.Values)
			}
			switch end, reported := seen.Find("certificate_not_after"); {
			case reported != (c.end != 0):
				t.Errorf("the end of the certificate was reported: %v", reported)
			case reported && int64(end) != in(c.end).Unix():
				t.Errorf("the certificate ends at %v, want %v", time.Unix(int64(end), 0), in(c.end))
			}
		})
	}
}

func TestTLSTimesOut(t *testing.T) {
	t.Parallel()
	c := open(t, "tls://"+checking.Answering(t, checking.Drain), "", time.Second)
	start := time.Now()
	checking.Fails(t, c, health.ReasonTimeout)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Real servers, each with a protocol of its own after the handshake.
func TestTLSOfRealServers(t *testing.T) {
	t.Parallel()
	redis := servers.RunRedis(t, servers.RedisOptions{TLS: true})
	minio := servers.RunMinIO(t, servers.MinIOOptions{TLS: true})
	for addr, file := range map[string]string{redis.Addr(): redis.CAFile(), minio.Addr(): minio.CAFile()} {
		checking.Healthy(t, open(t, "tls://"+addr, file, patience))
		checking.Fails(t, open(t, "tls://"+addr, "", patience), health.ReasonTLS)
		_, port, _ := net.SplitHostPort(addr)
		checking.Healthy(t, open(t, "tls://localhost:"+port, file, patience))
	}
}

// Each check is on a connection of its own, and slow handshakes count in its latency.
func TestTLSDialsAfresh(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, time.Now(), time.Now().Add(90*day))
	cert := authority.Issue(t, time.Now(), time.Now().Add(90*day), "127.0.0.1")
	wire := checking.NewWire(t, checking.Answering(t, checking.Handshaking(cert, checking.Drain)))
	c := open(t, "tls://"+wire.Addr(), authority.File(t), patience)
	for i := range int64(3) {
		checking.Healthy(t, c)
		if got := wire.Dials.Load(); got != i+1 {
			t.Errorf("%d checks made %d connections", i+1, got)
		}
	}
}

func TestLeaksNothing(t *testing.T) {
	authority := checking.NewAuthority(t, time.Now(), time.Now().Add(90*day))
	cert := authority.Issue(t, time.Now(), time.Now().Add(90*day), "127.0.0.1")
	file := authority.File(t)
	for name, url := range map[string]string{
		"accepted": "tcp://" + checking.Answering(t, checking.Drain),
		"refused":  "tcp://" + closed(t),
		"good":     "tls://" + checking.Answering(t, checking.Handshaking(cert, checking.Drain)),
		"silent":   "tls://" + checking.Answering(t, checking.Drain),
		"garbage":  "tls://" + checking.Answering(t, checking.Saying("garbage\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			timeout := patience
			if name == "silent" {
				timeout = 15 * time.Millisecond
			}
			c := open(t, url, file, timeout)
			checking.LeaksNothing(t, func() { _, _ = c.Check(t.Context()) })
		})
	}
}

// What is wrong with a URL is said before anything is dialled.
func TestURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"tcp://queue.internal:5672":        "",
		"tls://[::1]:636":                  "",
		"tcp://queue.internal":             "no port: give tcp://queue.internal:PORT",
		"tls://queue.internal":             "no port",
		"tcp://queue.internal:0":           "is not a host with a port",
		"tcp://a.internal:1,b.internal:2":  "2 hosts",
		"tls://user@queue.internal:5671":   "has a user",
		"tls://queue.internal:5671/vhost":  "has a path",
		"tcp://queue.internal:5672?x=true": "has a query",
	} {
		_, err := registry.Kinds().Named("queue", url)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}
