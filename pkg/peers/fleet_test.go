package peers_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/peers"
)

// server is what one sidecar's checks meet.
type server uint8

const (
	up      server = iota
	refused        // killed
	frozen         // no answer
	slow           // an answer later than the timeout
	auth           // the login of this Pod is refused
)

const (
	interval = 5 * time.Second
	timeout  = 2 * time.Second
	sample   = 16
	// undecided is for how long a fault is held that too few peers tell of.
	undecided = interval*11/10 + timeout + 2*time.Second
	// leaveBy is when a Pod with a fault of its own has left, from the moment at which it
	// began: its confirmation, a check of each peer and what follows from that.
	leaveBy = interval*11/10 + 2*timeout + time.Second + interval*11/10 + timeout + 3*time.Second
)

// fleet is sidecars with a server and a network in memory, in a synctest bubble. Each has
// a real monitor, a real handler and real peers.
type fleet struct {
	t        tester
	sidecars []*sidecar // those that are running and those that are gone
	wrong    int        // decisions
	lookups  atomic.Int64

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	meets  func(*sidecar) server
	cut    func(a, b *sidecar) bool // nil: nothing
	lost   float64                  // the share of questions that get no answer
	late   float64                  // the share whose answer comes at the deadline
	dns    bool                     // it answers
	byAddr map[string]*sidecar
}

// tester is a test or one of rapid's.
type tester interface {
	Helper()
	Fatal(...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// sidecar is one of a fleet.
type sidecar struct {
	fleet   *fleet
	index   int // from 0, in the order of their start
	addr    netip.Addr
	monitor *health.Monitor
	peers   *peers.Peers
	handler *peers.Handler
	stop    func()
	served  atomic.Int64 // questions
	sent    atomic.Int64 // questions
	ready   bool         // at the latest look
	was     bool         // ready, ever
	stays   bool         // must not leave
	gone    bool         // answers nothing any more
}

// newFleet begins with n sidecars that meet a server that is up, all of which are ready.
func newFleet(t tester, n int, seed uint64, edits ...func(*health.Service)) *fleet {
	f := &fleet{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), dns: true,
		meets: func(*sidecar) server { return up }, byAddr: make(map[string]*sidecar),
	}
	for range n {
		f.add(edits...)
	}
	f.pass(f.between(2*time.Second, 4*interval))
	for _, s := range f.sidecars {
		if !s.ready {
			t.Fatal(fmt.Sprintf("sidecar %d is not ready: %v", s.index, s.monitor.View().Readiness()))
		}
	}
	return f
}

// add starts one more sidecar.
func (f *fleet) add(edits ...func(*health.Service)) *sidecar {
	s := &sidecar{fleet: f, index: len(f.sidecars), addr: netip.AddrFrom4([4]byte{10, 1, byte(len(f.sidecars) >> 8), byte(len(f.sidecars))})}
	svc := &health.Service{
		Name: "database", Checker: s, Interval: interval, Timeout: timeout,
		FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyStrict, SharedFault: health.SharedFaultHold,
	}
	for _, edit := range edits {
		edit(svc)
	}
	monitor, err := health.NewMonitor([]*health.Service{svc})
	if err != nil {
		f.t.Fatal(err)
	}
	instance := peers.NewInstance()
	s.monitor, s.handler = monitor, peers.NewHandler(monitor.View, instance)
	s.peers = peers.New(peers.Options{
		Names: []string{"peers.test"}, Port: "8008", Self: s.addr, Instance: instance, Sample: sample, Timeout: cmp.Or(svc.PeersTimeout, time.Second),
		Resolver: f, Transport: s, Monitor: monitor, Updates: monitor.Updates(), Log: slog.New(slog.DiscardHandler),
	})
	monitor.Subscribe(func(v *health.View) { // what is true for a moment only counts as well
		if f.mustStay(s) && !v.Readiness().Ready {
			f.wrongly(s, v.Readiness())
		}
	})
	f.mu.Lock()
	f.sidecars, f.byAddr[net.JoinHostPort(s.addr.String(), "8008")] = append(f.sidecars, s), s
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	delay := f.between(0, time.Second)
	running.Go(func() {
		<-time.After(delay)
		running.Go(func() { _ = s.peers.Start(ctx) })
		_ = monitor.Start(ctx)
	})
	s.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	return s
}

// remove ends a sidecar, and DNS forgets it 10 to 14 s later.
func (f *fleet) remove(s *sidecar) {
	f.expect(false, s)
	s.stop()
	f.set(func(*fleet) { s.gone = true })
	go func() {
		<-time.After(f.between(10*time.Second, 14*time.Second))
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.byAddr, net.JoinHostPort(s.addr.String(), "8008"))
	}()
}

// end stops all of them, and tells what was decided wrongly.
func (f *fleet) end() {
	f.t.Helper()
	f.expect(false, f.sidecars...)
	var all sync.WaitGroup
	for _, s := range f.sidecars {
		all.Go(s.stop)
	}
	all.Wait()
	<-time.After(time.Minute) // what remove began
	if f.wrong > 0 {
		f.t.Errorf("%d wrong decisions", f.wrong)
	}
}

// Check is that of the service.
func (s *sidecar) Check(ctx context.Context) (health.Observation, error) {
	latency := s.fleet.between(time.Millisecond, 20*time.Millisecond)
	for {
		switch s.fleet.met(s) {
		case refused:
			return health.Observation{}, &health.Fault{Reason: health.ReasonRefused}
		case auth:
			return health.Observation{}, &health.Fault{Reason: health.ReasonAuth}
		case up:
			if latency == 0 {
				return health.Observation{}, nil
			}
			<-time.After(latency)
			latency = 0
		case frozen, slow:
			select {
			case <-ctx.Done():
				return health.Observation{}, ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// RoundTrip is the network, as the sidecar sees it.
func (s *sidecar) RoundTrip(r *http.Request) (*http.Response, error) {
	s.sent.Add(1)
	to, wait, back := s.fleet.way(s, r.URL.Host)
	deadline, _ := r.Context().Deadline()
	if to == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if wait < 0 { // to the deadline, on the way there or back
		if wait = time.Until(deadline) - time.Millisecond; back {
			wait = 0
		}
	}
	<-time.After(wait)
	to.served.Add(1)
	w := httptest.NewRecorder()
	to.handler.ServeHTTP(w, r)
	if back {
		<-time.After(time.Until(deadline) - time.Millisecond)
	}
	return w.Result(), nil
}

// way returns whom a question reaches: nil, nobody; how long it takes, below 0 for up to
// the deadline; and whether that is on the way back.
func (f *fleet) way(from *sidecar, host string) (to *sidecar, wait time.Duration, back bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to = f.byAddr[host]
	wait = time.Duration(f.random.Int64N(int64(5 * time.Millisecond)))
	switch {
	case to == nil, to.gone, f.cut != nil && f.cut(from, to), f.random.Float64() < f.lost:
		return nil, 0, false
	case f.random.Float64() < f.late:
		return to, -1, f.random.IntN(2) == 0
	}
	return to, wait, false
}

// LookupNetIP is the DNS.
func (f *fleet) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	f.lookups.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dns {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	var all []netip.Addr
	for _, s := range f.byAddr {
		all = append(all, s.addr)
	}
	return all, ctx.Err()
}

// asked returns how many questions each has sent, and the lookups of all.
func (f *fleet) asked() (sent []int64, lookups int) {
	for _, s := range f.sidecars {
		sent = append(sent, s.sent.Load())
	}
	return sent, int(f.lookups.Load())
}

func (f *fleet) met(s *sidecar) server {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.meets(s)
}

// set changes the world.
func (f *fleet) set(change func(f *fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// meet says what each sidecar's checks meet from now on.
func (f *fleet) meet(m func(*sidecar) server) { f.set(func(f *fleet) { f.meets = m }) }

func (f *fleet) between(low, high time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return low + time.Duration(f.random.Int64N(int64(high-low)))
}

// pass lets time go by, and looks at each sidecar's readiness.
func (f *fleet) pass(d time.Duration) {
	step := max(100*time.Millisecond, time.Duration(len(f.sidecars))*time.Millisecond)
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-time.After(min(step, time.Until(end)))
		synctest.Wait()
		for _, s := range f.sidecars {
			s.look()
		}
	}
}

func (s *sidecar) look() {
	now := s.monitor.View().Readiness()
	if !now.Ready && s.fleet.mustStay(s) {
		s.fleet.wrongly(s, now)
	}
	s.ready, s.was = now.Ready, s.was || now.Ready
}

// expect says that sidecars must not leave from now on, or that they may.
func (f *fleet) expect(stay bool, all ...*sidecar) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range all {
		s.stays = stay
	}
}

func (f *fleet) mustStay(s *sidecar) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.stays
}

// wrongly counts a wrong decision.
func (f *fleet) wrongly(s *sidecar, r health.Readiness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong++
	s.stays = false // each is counted once
	if f.wrong <= 5 {
		result := s.monitor.View().Results()[0]
		f.t.Logf("sidecar %d of %d, ready %t: %s (%+v), %s after its fault began",
			s.index, len(f.sidecars), r.Ready, r, result.Finding, time.Since(result.FailingSince()))
	}
}

// wantOut counts those that are ready and should not be.
func (f *fleet) wantOut(all ...*sidecar) {
	for _, s := range all {
		if s.look(); s.ready {
			f.wrongly(s, s.monitor.View().Readiness())
		}
	}
}

// wantReady counts those that should be ready and are not.
func (f *fleet) wantReady(all ...*sidecar) {
	for _, s := range all {
		if s.look(); !s.ready {
			f.wrongly(s, s.monitor.View().Readiness())
		}
	}
}

// played runs a scenario in a bubble.
func played(t *testing.T, n int, seed uint64, play func(*fleet), edits ...func(*health.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, n, seed, edits...)
		defer f.end()
		play(f)
	})
}
