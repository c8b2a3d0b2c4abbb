package strain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/test/fleet"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

const (
	// Between two rounds of faults all is well for so long, and then the samples count.
	calm = 10 * time.Second
	// settle is how long the last traces of faults may take, such as connections that are closed.
	settle = 3 * time.Second
	// recovery bounds how long it may take until all is well: a server that starts on a full machine.
	recovery = 2 * time.Minute
)

// soak is one run.
type soak struct {
	Options
	began   time.Time
	set     []servers.Server
	relays  []*relay.Relay // one per server
	wires   []*relay.Relay // of the peers to the database
	sidecar *sidecar
	peers   []*sidecar

	answers, errs atomic.Int64 // of the load
	live          Probes
	faults        map[string]int // how often there was each

	mu     sync.Mutex
	calm   bool // samples count
	warmUp time.Duration
	all    []*series // resident, anonymous, goroutines, descriptors
}

// Soak runs the program with load, scrapes, readers of the page and of the history, two peers and random faults
// together, and writes a table of fitted slopes. It returns an error where a slope exceeds its bound, or a probe of
// /health/live failed.
func Soak(ctx context.Context, o Options, w io.Writer) error {
	return servers.UseSet(ctx, o.Progress, func(_ string, set []servers.Server) error {
		s := &soak{Options: o, set: set, faults: map[string]int{}, warmUp: max(o.Duration/5, 5*time.Second), all: []*series{
			{name: "resident memory", unit: "MB", growth: 4},
			{name: "anonymous memory", unit: "MB", growth: 4},
			{name: "goroutines", unit: "", growth: 3},
			{name: "descriptors", unit: "", growth: 3},
		}}
		for _, figure := range s.all {
			if o.Short {
				figure.growth *= 4
			}
		}
		defer s.close()
		if err := s.start(ctx); err != nil {
			return err
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		return s.report(w)
	})
}

// start starts three sidecars that are peers of each other: the one that is measured, with all services, and two with
// the database alone.
func (s *soak) start(ctx context.Context) error {
	members, err := fleet.New(ctx, 3, s.set[0].(*servers.Postgres).Addr())
	if err != nil {
		return err
	}
	for _, m := range members {
		s.wires = append(s.wires, m.Wire)
	}
	s.relays = append(s.relays, members[0].Wire)
	for _, server := range s.set[1:] {
		r, err := relay.Start(address(server))
		if err != nil {
			return err
		}
		s.relays = append(s.relays, r)
	}
	for i, m := range members {
		vars := environment(s.set, m.Vars...)
		if i == 0 {
			vars = append(vars, servers.Var{Name: "HEALTH_SERVICES", Value: strings.Join(services, ",")})
			for j, service := range services {
				vars = append(vars, servers.At(service, s.relays[j].Addr())...)
			}
		}
		for _, service := range services { // more checks and more verdicts per hour than by default
			vars = append(vars, servers.Var{Name: strings.ToUpper(service) + "_PROBE_INTERVAL", Value: "2s"},
				servers.Var{Name: strings.ToUpper(service) + "_PROBE_TIMEOUT", Value: "1s"})
		}
		sidecar, err := serve(s.Options, vars)
		if err != nil {
			return err
		}
		if i == 0 {
			s.sidecar = sidecar
		} else {
			s.peers = append(s.peers, sidecar)
		}
	}
	return s.sidecar.awaitHealthy(ctx)
}

// address is where a server listens.
func address(server servers.Server) string {
	return server.(interface{ Addr() string }).Addr()
}

func (s *soak) close() {
	for _, p := range append(s.peers, s.sidecar) {
		if p != nil {
			p.Kill()
		}
	}
	for i, r := range s.relays {
		if i > 0 { // the first is a wire
			r.Close()
		}
	}
	for _, r := range s.wires {
		r.Close()
	}
}

// run lets rounds of faults and calm follow each other, under load.
func (s *soak) run(ctx context.Context) error {
	s.began = time.Now()
	load := inBackground(ctx, s.sample,
		func(ctx context.Context) {
			s.live.ask(ctx, s.sidecar.url("/health/live"), timing{period: time.Second, timeout: 5 * time.Second, threshold: 3})
		},
		s.reader(20*time.Millisecond, "/health"), s.reader(50*time.Millisecond, "/health/ready?verbose"),
		s.reader(200*time.Millisecond, "/health/database"), s.reader(500*time.Millisecond, "/"),
		s.reader(500*time.Millisecond, "/health/history"), s.reader(time.Second, "metrics"))
	defer load.end()
	for round := 1; time.Since(s.began) < s.Duration; round++ {
		broken, err := s.round(ctx)
		if err != nil {
			return err
		}
		if err := s.sidecar.awaitHealthy(ctx); err != nil {
			return err
		}
		if err := poll.Pause(ctx, settle); err != nil {
			return err
		}
		s.setCalm(true)
		err = poll.Pause(ctx, calm)
		s.setCalm(false)
		if err != nil {
			return err
		}
		first, last := s.all[0].ends()
		s.Progress(fmt.Sprintf("%5s of %s  round %d: %s; %d answers; resident %.1f MB at first, %.1f MB now",
			time.Since(s.began).Round(time.Second), s.Duration, round, strings.Join(broken, ", "), s.answers.Load(), first, last))
	}
	select {
	case <-s.sidecar.Exited():
		return fmt.Errorf("the sidecar ended by itself: %w; its log ends:\n%s", s.sidecar.Wait(), tail(s.sidecar.Log()))
	default:
		return nil
	}
}

// round breaks one to four of the services at once, each in its own way, and mends them all.
func (s *soak) round(ctx context.Context) (broken []string, err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	for _, i := range rand.Perm(len(services))[:1+rand.IntN(len(services))] {
		fault := s.choose(i)
		broken = append(broken, services[i]+" "+fault.name)
		s.faults[fault.name]++
		during := time.Duration(3+rand.IntN(6)) * time.Second
		delay := time.Duration(rand.IntN(2000)) * time.Millisecond
		group.Go(func() {
			_ = poll.Pause(ctx, delay)
			e := fault.begin()
			_ = poll.Pause(ctx, during)
			e = errors.Join(e, fault.end(ctx))
			mu.Lock()
			defer mu.Unlock()
			if e != nil {
				err = errors.Join(err, fmt.Errorf("%s %s: %w", services[i], fault.name, e))
			}
		})
	}
	group.Wait()
	return broken, errors.Join(err, ctx.Err())
}

// fault is one way to break a service.
type fault struct {
	name  string
	begin func() error
	end   func(context.Context) error
}

// choose returns a fault of the service of that number.
func (s *soak) choose(i int) fault {
	server, wire := s.set[i], s.relays[i]
	thaw := func(context.Context) error { return server.Thaw() }
	cut := func(name string, f relay.Fault) fault {
		return fault{name, func() error { return wire.Break(f) }, func(context.Context) error { return wire.Mend() }}
	}
	faults := []fault{
		{"stopped", server.Stop, server.Start},
		{"frozen", server.Freeze, thaw},
		{"restarted", func() error { return nil }, func(ctx context.Context) error { return errors.Join(server.Stop(), server.Start(ctx)) }},
		{
			"slow", func() error { wire.Delay.Store(int64(700 * time.Millisecond)); return nil },
			func(context.Context) error { wire.Delay.Store(0); return nil },
		},
		cut("refused", relay.Fault{Refuse: true}), cut("dropped", relay.Fault{Drop: true}), cut("half-open", relay.Fault{Forget: true}),
		cut("reset", relay.Fault{CutAfter: 3, Reset: true}), cut("garbage", relay.Fault{Garbage: []byte("?!\r\n")}),
	}
	return faults[rand.IntN(len(faults))]
}

func (s *soak) setCalm(calm bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calm = calm
}

// sample looks once per second. What it sees counts after the warm-up, while all is well.
func (s *soak) sample(ctx context.Context) {
	for poll.Pause(ctx, time.Second) == nil {
		m, err := s.sidecar.scrape(ctx)
		anonymous, e := program.Status(s.sidecar.PID(), "RssAnon")
		s.mu.Lock()
		if elapsed := time.Since(s.began); err == nil && e == nil && s.calm && elapsed > s.warmUp {
			for i, value := range []float64{m["process_resident_memory_bytes"] / 1e6, anonymous / 1e6, m["go_goroutines"], m["process_open_fds"]} {
				s.all[i].add(elapsed, value)
			}
		}
		s.mu.Unlock()
	}
}

// reader returns a function that asks for the path so often, over connections that it keeps for ten answers.
func (s *soak) reader(each time.Duration, path string) func(context.Context) {
	url := s.sidecar.url(path)
	if path == "metrics" {
		url = "http://" + s.sidecar.Metrics + "/metrics"
	}
	return func(ctx context.Context) {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for n := 0; poll.Pause(ctx, each) == nil; n++ {
			if n%10 == 9 {
				client.CloseIdleConnections()
			}
			if _, err := get(ctx, client, url, io.Discard); err == nil {
				s.answers.Add(1)
			} else if ctx.Err() == nil {
				s.errs.Add(1)
			}
		}
	}
}

// report writes the tables.
func (s *soak) report(w io.Writer) error {
	slices.Sort(s.live.Took)
	fmt.Fprintf(w, "\n%s under load: %d answers to readers, %d readers without one; %s\n", time.Since(s.began).Round(time.Second),
		s.answers.Load(), s.errs.Load(), count(s.faults))
	fmt.Fprintf(w, "/health/live: %d probes, %d failed; p50 %s, p99 %s, max %s\n\n", len(s.live.Took)+len(s.live.Failures), len(s.live.Failures),
		quantile(s.live.Took, 0.5), quantile(s.live.Took, 0.99), quantile(s.live.Took, 1))
	wrong, err := printSeries(w, s.all)
	fmt.Fprintf(w, "\nThe slopes are those after %s, while all was well. A bound is a growth of %.0f MB, of %.0f goroutines or descriptors, over that time.\n",
		s.warmUp, s.all[0].growth, s.all[2].growth)
	wrong = append(wrong, s.live.Failures...)
	if len(wrong) > 0 {
		err = errors.Join(err, fmt.Errorf("%d wrong:\n%s", len(wrong), strings.Join(wrong, "\n")))
	}
	return err
}

// count lists what there was how often.
func count(of map[string]int) string {
	var texts []string
	for name, n := range of {
		texts = append(texts, fmt.Sprintf("%d × %s", n, name))
	}
	slices.Sort(texts)
	return "faults: " + strings.Join(texts, ", ")
}
