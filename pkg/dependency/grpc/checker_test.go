package grpc_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	grpckind "github.com/reims/reims-health/pkg/dependency/grpc"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// server is a gRPC server with the standard health service.
type server struct {
	*grpchealth.Server
	addr  string
	calls atomic.Int64
	stop  func()
}

// serve starts a server of grpc-go on addr. Register is what it serves; nil for the health
// service.
func serve(t *testing.T, addr string, register func(*grpc.Server), options ...grpc.ServerOption) *server {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: grpchealth.NewServer(), addr: listener.Addr().String()}
	count := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		s.calls.Add(1)
		return next(ctx, req)
	}
	g := grpc.NewServer(append(options, grpc.ChainUnaryInterceptor(count))...)
	if register == nil {
		register = func(g *grpc.Server) { healthpb.RegisterHealthServer(g, s) }
	}
	register(g)
	var work sync.WaitGroup
	work.Go(func() { _ = g.Serve(listener) })
	s.stop = sync.OnceFunc(func() {
		g.Stop()
		work.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

const anyPort = "127.0.0.1:0"

// newChecker returns a checker of the server at addr, changed by edit.
func newChecker(t *testing.T, addr string, edit func(*grpckind.Options)) *grpckind.Checker {
	t.Helper()
	options := grpckind.Options{Addr: addr, Timeout: 5 * time.Second, Prefix: "BILLING_"}
	if edit != nil {
		edit(&options)
	}
	c := grpckind.New(options)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestGRPCHealthy(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	s.SetServingStatus("my.package.Service", healthpb.HealthCheckResponse_SERVING)
	for service, endpoint := range map[string]string{"": "grpc://" + s.addr, "my.package.Service": "grpc://" + s.addr + "/my.package.Service"} {
		c := newChecker(t, s.addr, func(o *grpckind.Options) { o.Service = service })
		seen := checking.Declared(t, grpckind.Kind(), checking.Healthy(t, c))
		if seen.Latency <= 0 || len(seen.Values) != 2 || seen.Values[0].Text != endpoint || seen.Values[1].Text != "SERVING" {
			t.Errorf("service %q: %+v", service, seen)
		}
	}
}

// The server's word is followed within one check, on the connection that is kept.
func TestGRPCNotServingAndBack(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	wire := checking.NewWire(t, s.addr)
	const service = "my.package.Service"
	one := newChecker(t, wire.Addr(), func(o *grpckind.Options) { o.Service = service })
	whole := newChecker(t, s.addr, nil)
	checking.Says(t, checking.Fault(t, one, grpckind.ReasonNotServing), "does not know the service that BILLING_CHECK names") // not registered yet
	for range 2 {
		s.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
		checking.Healthy(t, one)
		s.SetServingStatus(service, healthpb.HealthCheckResponse_NOT_SERVING)
		seen, err := one.Check(t.Context())
		checking.Says(t, checking.WantFault(t, err, grpckind.ReasonNotServing), "NOT_SERVING", "BILLING_CHECK")
		if seen.Latency <= 0 || seen.Values[1].Text != "NOT_SERVING" {
			t.Errorf("seen %+v", seen)
		}
		checking.Healthy(t, whole)
	}
	s.SetServingStatus(service, healthpb.HealthCheckResponse_UNKNOWN)
	checking.Says(t, checking.Fault(t, one, grpckind.ReasonNotServing), "UNKNOWN")
	s.SetServingStatus(service, healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
	checking.Says(t, checking.Fault(t, one, grpckind.ReasonNotServing), "does not know the service")
	s.SetServingStatus(service, 17)
	checking.Says(t, checking.Fault(t, one, grpckind.ReasonNotServing), "status 17")
	s.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	checking.Says(t, checking.Fault(t, whole, grpckind.ReasonNotServing), "NOT_SERVING", "as a whole")
	s.Shutdown() // of the health service, as a server does before it stops
	checking.Says(t, checking.Fault(t, one, grpckind.ReasonNotServing), "NOT_SERVING")
	if n := wire.Dials.Load(); n > 2 { // see TestGRPCOneCall
		t.Errorf("%d connections", n)
	}
}

// A connection that the network has lost is used for one check, and no more, whether or not
// the monitor asks for a fresh one.
func TestGRPCConnectionIsLost(t *testing.T) {
	t.Parallel()
	detour, err := relay.Start(serve(t, anyPort, nil).addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(detour.Close)
	c := newChecker(t, detour.Addr(), func(o *grpckind.Options) { o.Timeout = 2 * time.Second })
	checking.Healthy(t, c)
	if err := detour.Break(relay.Fault{Forget: true}); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, c, health.ReasonTimeout)
	checking.Healthy(t, c)
}

// A monitor that runs sees a server that stops serving, and that it serves again.
func TestGRPCUnderARunningCheck(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	kind := grpckind.Kind().Kind
	service := &health.Service{
		Name: "billing", Kind: &kind, Checker: newChecker(t, s.addr, nil), Interval: 50 * time.Millisecond, Timeout: 10 * time.Second,
		FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.PolicyIgnore,
	}
	m, err := health.NewMonitor([]*health.Service{service})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Start(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	becomes := func(want health.Status, reason health.Reason) {
		t.Helper()
		poll.Until(t, "the verdict "+want.String(), func() bool {
			r := m.View().Results()[0]
			return r.Status == want && r.Reason() == reason
		})
	}
	becomes(health.Healthy, "")
	for range 2 {
		s.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		becomes(health.Unhealthy, grpckind.ReasonNotServing)
		s.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
		becomes(health.Healthy, "")
	}
}

// Every status of gRPC that a call can end with, with and without a header before it.
func TestGRPCCodes(t *testing.T) {
	t.Parallel()
	want := map[codes.Code]struct {
		reason health.Reason
		words  string
	}{
		codes.NotFound:          {grpckind.ReasonNotServing, "does not know"},
		codes.Unimplemented:     {health.ReasonProtocol, "no health service"},
		codes.Unauthenticated:   {health.ReasonAuth, "credentials"},
		codes.PermissionDenied:  {health.ReasonForbidden, "refuses this client"},
		codes.ResourceExhausted: {health.ReasonOverloaded, "RESOURCE_EXHAUSTED"},
		codes.DeadlineExceeded:  {health.ReasonTimeout, "timeout"},
		codes.Unavailable:       {health.ReasonProtocol, "proxy or load balancer at BILLING_CHECK"},
		codes.Canceled:          {health.ReasonError, "CANCELLED"},
		codes.Internal:          {health.ReasonError, "INTERNAL"},
		codes.DataLoss:          {health.ReasonError, "DATA_LOSS"},
		codes.Code(99):          {health.ReasonError, "code 99"},
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if _, listed := want[code]; !listed {
			want[code] = want[codes.Code(99)]
			entry := want[code]
			entry.words = "the gRPC server answers with the error"
			want[code] = entry
		}
	}
	for code, test := range want {
		for _, header := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, header %v", code, header), func(t *testing.T) {
				t.Parallel()
				s := serve(t, anyPort, nil, grpc.UnaryInterceptor(func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
					if header {
						if err := grpc.SendHeader(ctx, metadata.Pairs("a", "b")); err != nil {
							t.Error(err)
						}
					}
					return nil, status.Error(code, "canary: 100 % ünknown")
				}))
				c := newChecker(t, s.addr, nil)
				for range 2 {
					f := checking.Fault(t, c, test.reason)
					checking.Says(t, f, test.words)
					if strings.Contains(f.Message, "canary") || !strings.Contains(f.Error(), "canary") {
						t.Errorf("the server's text belongs into the log alone: %v", f)
					}
				}
			})
		}
	}
}

func TestGRPCWithoutHealthService(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, func(*grpc.Server) {})
	checking.Says(t, checking.Fault(t, newChecker(t, s.addr, nil), health.ReasonProtocol), "has no health service")
}

// What the server is told: how long the caller waits, and of whom it is.
func TestGRPCCallsMetadata(t *testing.T) {
	t.Parallel()
	var left atomic.Int64
	var agent, key atomic.Value
	s := serve(t, anyPort, nil, grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		deadline, _ := ctx.Deadline()
		left.Store(int64(time.Until(deadline)))
		md, _ := metadata.FromIncomingContext(ctx)
		agent.Store(strings.Join(md["user-agent"], " "))
		key.Store(len(md["idempotency-key"]))
		return next(ctx, req)
	}))
	checking.Healthy(t, newChecker(t, s.addr, func(o *grpckind.Options) { o.Timeout = time.Minute }))
	if d := time.Duration(left.Load()); d <= 0 || d > time.Minute || agent.Load() != "reims-health" || key.Load() != 0 {
		t.Errorf("the server has %v, the agent %q and %v keys", d, agent.Load(), key.Load())
	}
}

// One call per check, on one connection that Redial replaces, and that may die while idle.
func TestGRPCOneCall(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ours := checking.NewAuthority(t, from, until)
	pair, ca := ours.Issue(t, from, until, "127.0.0.1"), ours.File(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			var options []grpc.ServerOption
			if secure {
				options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
			}
			s := serve(t, anyPort, nil, options...)
			wire := checking.NewWire(t, s.addr)
			c := newChecker(t, wire.Addr(), func(o *grpckind.Options) { o.Secure, o.CAFile = secure, ca })
			// net/http may dial once more for a request that comes while it puts the first
			// connection away: checks do not follow each other as closely elsewhere.
			for i := range int64(20) {
				checking.Healthy(t, c)
				if calls, dials := s.calls.Load(), wire.Dials.Load(); calls != i+1 || dials > 2 {
					t.Errorf("%d checks made %d calls on %d connections, want one each on one, or on a second one", i+1, calls, dials)
				}
			}
			before := wire.Dials.Load()
			c.Redial()
			checking.Healthy(t, c)
			if dials := wire.Dials.Load(); dials <= before {
				t.Errorf("%d connections after Redial, and %d before", dials, before)
			}
			for range 20 {
				wire.HangUp()
				checking.Healthy(t, c)
			}
		})
	}
}

// A server that ends its connections in good order, as with MaxConnectionAge, is healthy
// all the time.
func TestGRPCGoAway(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	c := newChecker(t, s.addr, nil)
	checking.Healthy(t, c)
	for range 3 {
		s.stop()
		s = serve(t, s.addr, nil)
		checking.Healthy(t, c)
	}
}

func TestGRPCStoppedAndFrozen(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	detour, err := relay.Start(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(detour.Close)
	const timeout = time.Second
	short := func(o *grpckind.Options) { o.Timeout = timeout }
	c, direct := newChecker(t, detour.Addr(), short), newChecker(t, s.addr, nil)
	checking.Healthy(t, c)
	checking.Healthy(t, direct)
	detour.Silence()
	other := newChecker(t, detour.Addr(), short)
	for _, frozen := range []*grpckind.Checker{c, c, other, other} {
		start := time.Now()
		checking.Fails(t, frozen, health.ReasonTimeout)
		if took := time.Since(start); took > 10*timeout {
			t.Errorf("a frozen server held the check for %v", took)
		}
		frozen.Redial() // as the monitor does after a failure
	}
	detour.To(s.addr)
	for _, thawed := range []*grpckind.Checker{c, other} {
		poll.Until(t, "recovery after a freeze", func() bool { _, err := thawed.Check(t.Context()); return err == nil })
	}
	s.stop()
	checking.Fails(t, direct, health.ReasonRefused)
	serve(t, s.addr, nil)
	checking.Healthy(t, direct)
}

// A slow server is one that answers too late, or in time.
func TestGRPCSlow(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil, grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		timer := time.NewTimer(300 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			return next(ctx, req)
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}))
	checking.Fails(t, newChecker(t, s.addr, func(o *grpckind.Options) { o.Timeout = 100 * time.Millisecond }), health.ReasonTimeout)
	seen := checking.Healthy(t, newChecker(t, s.addr, func(o *grpckind.Options) { o.Timeout = time.Minute }))
	if seen.Latency < 300*time.Millisecond {
		t.Errorf("latency %v", seen.Latency)
	}
}

// webServer answers HTTP/2 without TLS, and HTTP/1 where both is true.
func webServer(t *testing.T, handler http.HandlerFunc, both bool) string {
	t.Helper()
	listener := checking.Listen(t)
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	s.Protocols.SetHTTP1(both)
	var work sync.WaitGroup
	work.Go(func() { _ = s.Serve(listener) })
	t.Cleanup(func() {
		_ = s.Close()
		work.Wait()
	})
	return listener.Addr().String()
}

// answer answers as a gRPC server does, with this trailer.
func answer(message string, trailer ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = io.WriteString(w, message)
		for i := 0; i < len(trailer); i += 2 {
			w.Header().Set(http.TrailerPrefix+trailer[i], trailer[i+1])
		}
	}
}

// What other servers, proxies and broken gRPC servers answer by HTTP/2.
func TestGRPCAnswers(t *testing.T) {
	t.Parallel()
	const serving = "\x00\x00\x00\x00\x02\x08\x01"
	page := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason health.Reason
		words  string
	}{
		"serving":               {answer(serving, "Grpc-Status", "0"), "", ""},
		"with a newer field":    {answer("\x00\x00\x00\x00\x04\x08\x01\x10\x07", "Grpc-Status", "0"), "", ""},
		"empty message":         {answer("\x00\x00\x00\x00\x00", "Grpc-Status", "0"), grpckind.ReasonNotServing, "UNKNOWN"},
		"no trailer":            {answer(serving), health.ReasonProtocol, "drops trailers"},
		"a status that is none": {answer(serving, "Grpc-Status", "canary"), health.ReasonProtocol, "drops trailers"},
		"no message":            {answer("", "Grpc-Status", "0"), health.ReasonProtocol, "not one of a health service"},
		"half a message":        {answer(serving[:6], "Grpc-Status", "0"), health.ReasonProtocol, "not one of a health service"},
		"two messages":          {answer(serving+serving, "Grpc-Status", "0"), health.ReasonProtocol, "not one of a health service"},
		"compressed":            {answer("\x01"+serving[1:], "Grpc-Status", "0"), health.ReasonProtocol, "not one of a health service"},
		"no such message":       {answer("\x00\x00\x00\x00\x02\x08\xff", "Grpc-Status", "0"), health.ReasonProtocol, "not one of a health service"},
		"long message":          {answer("\x00\x00\x01\x00\x00"+strings.Repeat("\x08\x01", 1<<15), "Grpc-Status", "0"), health.ReasonProtocol, "far larger"},
		"100 MB": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			checking.Huge(w, r)
		}, health.ReasonProtocol, "far larger"},
		"a web page":      {page(200, "text/html", "<html>canary</html>"), health.ReasonProtocol, "web page"},
		"grpc-web":        {page(200, "application/grpc-web+proto", serving), health.ReasonProtocol, "is not a gRPC server"},
		"JSON":            {page(200, "application/json", "{}"), health.ReasonProtocol, "is not a gRPC server"},
		"no such path":    {page(404, "text/plain", "404 page not found"), health.ReasonProtocol, "is not a gRPC server"},
		"unsupported":     {page(415, "text/plain", ""), health.ReasonProtocol, "is not a gRPC server"},
		"too many":        {page(429, "text/plain", ""), health.ReasonProtocol, "something between"},
		"bad gateway":     {page(502, "text/html", "<html></html>"), health.ReasonProtocol, "something between"},
		"unavailable":     {page(503, "text/plain", "no healthy upstream"), health.ReasonProtocol, "something between"},
		"gateway timeout": {page(504, "application/grpc", ""), health.ReasonProtocol, "something between"},
		"to the login": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example/", http.StatusFound)
		}, health.ReasonProtocol, "redirects"},
		"cut": {func(w http.ResponseWriter, r *http.Request) {
			answer(serving)(w, r)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, health.ReasonProtocol, ""},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, health.ReasonTimeout, ""},
		"hangs in the message": {func(w http.ResponseWriter, r *http.Request) {
			answer(serving[:3])(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, health.ReasonTimeout, ""},
		"long header": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<18))
			answer(serving, "Grpc-Status", "0")(w, r)
		}, health.ReasonProtocol, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, webServer(t, test.answer, false), func(o *grpckind.Options) {
				if test.reason == health.ReasonTimeout {
					o.Timeout = time.Second
				}
			})
			for range 2 {
				if test.reason == "" {
					checking.Healthy(t, c)
					continue
				}
				f := checking.Fault(t, c, test.reason)
				checking.Says(t, f, test.words)
				if strings.Contains(f.Message, "canary") {
					t.Errorf("message %q carries the server's text", f.Message)
				}
			}
		})
	}
}

func TestGRPCWrongServer(t *testing.T) {
	t.Parallel()
	nginx := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: checking.ServeHTTP(t, checking.Reply(200, "ok"))})
	redis := servers.RunRedis(t, servers.RedisOptions{})
	gone := checking.Listen(t)
	_ = gone.Close()
	for name, test := range map[string]struct {
		addr   string
		reason health.Reason
		words  string
	}{
		"nginx":          {nginx.Addr(), health.ReasonProtocol, "HTTP/1"},
		"Go's HTTP/1":    {checking.ServeHTTP(t, checking.Reply(200, "ok")), health.ReasonProtocol, "HTTP/1"},
		"Redis":          {redis.Addr(), health.ReasonProtocol, ""},
		"SSH":            {checking.Answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); checking.Drain(c) }), health.ReasonProtocol, ""},
		"garbage":        {checking.Answering(t, checking.Saying("garbage garbage\r\n")), health.ReasonProtocol, ""},
		"endless":        {checking.Answering(t, func(c net.Conn) { checking.Flood(c, strings.Repeat("\x00", 1<<16)) }), health.ReasonProtocol, ""},
		"closes":         {checking.Answering(t, func(net.Conn) {}), health.ReasonReset, ""},
		"closes later":   {checking.Answering(t, checking.ReadSome), health.ReasonReset, ""},
		"never answers":  {checking.Answering(t, checking.Drain), health.ReasonTimeout, ""},
		"never reads":    {checking.Answering(t, func(c net.Conn) { <-t.Context().Done(); _ = c.Close() }), health.ReasonTimeout, ""},
		"refused":        {gone.Addr().String(), health.ReasonRefused, ""},
		"no such host":   {"server.invalid:50051", health.ReasonDNS, ""},
		"TLS":            {checking.Answering(t, checking.ServeTLS(t)), health.ReasonTLS, "the server speaks TLS, and BILLING_CHECK says no TLS"},
		"only a preface": {checking.Answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "\x00\x00\x00\x04\x00\x00\x00\x00\x00"); checking.Drain(c) }), health.ReasonTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, test.addr, func(o *grpckind.Options) {
				if test.reason == health.ReasonTimeout {
					o.Timeout = time.Second
				}
			})
			checking.Says(t, checking.Fault(t, c, test.reason), test.words)
		})
	}
}

func TestGRPCSCertificates(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(365*24*time.Hour)
	ours, others := checking.NewAuthority(t, from, until), checking.NewAuthority(t, from, until)
	ca := ours.File(t)
	local, elsewhere := ours.Issue(t, from, until, "127.0.0.1"), ours.Issue(t, from, until, "elsewhere.example")
	ended := ours.Issue(t, from, time.Now().Add(-time.Minute), "127.0.0.1")
	secured := func(cert tls.Certificate) string {
		return serve(t, anyPort, nil, grpc.Creds(credentials.NewServerTLSFromCert(&cert))).addr
	}
	clients := serve(t, anyPort, nil, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{local}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Roots(),
	}))).addr
	plain := serve(t, anyPort, nil).addr
	redis := servers.RunRedis(t, servers.RedisOptions{})
	for name, test := range map[string]struct {
		addr, ca string
		reason   health.Reason
		words    string
	}{
		"trusted":            {secured(local), ca, "", ""},
		"unknown authority":  {secured(local), others.File(t), health.ReasonTLS, ""},
		"the system's":       {secured(local), "", health.ReasonTLS, ""},
		"no file":            {secured(local), ca + ".gone", health.ReasonTLS, "_CA_FILE"},
		"wrong name":         {secured(elsewhere), ca, health.ReasonTLS, ""},
		"ended":              {secured(ended), ca, health.ReasonCertificateExpired, "ended at"},
		"client certificate": {clients, ca, health.ReasonTLS, "client certificate"},
		"HTTP/1 alone":       {checking.ServeHTTPS(t, checking.Reply(200, "ok"), local, nil), ca, health.ReasonTLS, "without HTTP/2"},
		"gRPC without TLS":   {plain, ca, health.ReasonTLS, "speaks no TLS, and BILLING_CHECK says TLS"},
		"HTTP without TLS":   {checking.ServeHTTP(t, checking.Reply(200, "ok")), ca, health.ReasonTLS, "speaks no TLS, and BILLING_CHECK says TLS"},
		"text without TLS":   {checking.Answering(t, checking.Saying("garbage\r\n")), ca, health.ReasonTLS, "speaks no TLS"},
		"Redis without TLS":  {redis.Addr(), ca, health.ReasonTimeout, ""}, // it waits for the end of the line
		"never answers":      {checking.Answering(t, checking.Drain), ca, health.ReasonTimeout, ""},
		"closes":             {checking.Answering(t, checking.ReadSome), ca, health.ReasonReset, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, test.addr, func(o *grpckind.Options) {
				o.Secure, o.CAFile = true, test.ca
				if test.reason == health.ReasonTimeout {
					o.Timeout = time.Second
				}
			})
			if test.reason == "" {
				checking.Healthy(t, c)
				return
			}
			checking.Says(t, checking.Fault(t, c, test.reason), test.words)
		})
	}
}

func TestGRPCWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	_, text, _ := net.SplitHostPort(s.addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	checking.SeveralAddresses(t, 26, port, false, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return newChecker(t, net.JoinHostPort("several.internal", text), func(o *grpckind.Options) { o.Timeout, o.Lookup = timeout, lookup })
	})
}

// An answer of 100 MB is neither read to its end nor held.
func TestGRPCHugeAnswerIsNotHeld(t *testing.T) { // not parallel: it counts allocations
	addr := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		checking.Huge(w, r)
	}, false)
	c := newChecker(t, addr, nil)
	checking.Fails(t, c, health.ReasonProtocol)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		checking.Fails(t, c, health.ReasonProtocol)
	}
	runtime.ReadMemStats(&after)
	// The server is in this process, and makes one chunk of 1 MB per answer.
	if got := (after.TotalAlloc - before.TotalAlloc) / 10; got > 6<<20 {
		t.Errorf("a check allocates %d kB for an answer of which it reads 4 kB", got>>10)
	}
}

func TestGRPCLeaksNothing(t *testing.T) { // not parallel: it counts goroutines
	gone := checking.Listen(t)
	_ = gone.Close()
	serving, other := serve(t, anyPort, nil), serve(t, anyPort, func(*grpc.Server) {})
	for name, addr := range map[string]string{
		"refused":       gone.Addr().String(),
		"frozen":        checking.Answering(t, checking.Drain),
		"garbage":       checking.Answering(t, checking.Saying("garbage garbage\r\n")),
		"closes":        checking.Answering(t, func(net.Conn) {}),
		"TLS":           checking.Answering(t, checking.ServeTLS(t)),
		"HTTP/1":        checking.ServeHTTP(t, checking.Reply(200, "ok")),
		"unimplemented": other.addr,
		"serving":       serving.addr,
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, addr, func(o *grpckind.Options) {
				if name == "frozen" {
					o.Timeout = 15 * time.Millisecond
				}
			})
			checking.LeaksNothing(t, func() {
				if _, err := c.Check(t.Context()); (err == nil) != (name == "serving") {
					t.Fatalf("Check: %v", err)
				}
				c.Redial() // each check dials
			})
		})
	}
}

func TestGRPCObeysItsContext(t *testing.T) {
	t.Parallel()
	c := newChecker(t, checking.Answering(t, checking.Drain), func(o *grpckind.Options) { o.Timeout = time.Minute })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := c.Check(ctx)
	_ = checking.WantFault(t, err, health.ReasonTimeout)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("returned %v after its context was done", took)
	}
}
