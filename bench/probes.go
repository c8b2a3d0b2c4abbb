package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hellofresh/health-go/v5/checks/pgx5"
	hellopostgres "github.com/hellofresh/health-go/v5/checks/postgres"
	helloredis "github.com/hellofresh/health-go/v5/checks/redis"
	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

const (
	counted = 10 // probes of which statements, round trips and bytes are counted
	timed   = 50 // probes of which the time is taken
)

// probe is one way to ask PostgreSQL or Redis how it is.
type probe struct {
	of, service string
	// run asks once.
	run func(context.Context) error
	// pid is the process that asks, or 0 for this one.
	pid int
	// allocations counts those of the process that asks.
	allocations func(context.Context) (float64, error)
}

// server is what is asked.
type probed struct {
	world   *world
	service string
	pid     int
	// statements counts those that the server has run, but for those of the counting.
	statements func(context.Context) (int64, error)
}

// ourProbe returns the check of a service as the program makes it, with default settings.
func ourProbe(service string, vars ...servers.Var) (probe, io.Closer, error) {
	values := map[string]string{} // the last of a name counts
	for _, v := range vars {
		values[v.Name] = v.Value
	}
	var environ []string
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	for _, s := range registry.Kinds().Services() {
		if s.Name != service {
			continue
		}
		if _, _, err := config.Load(config.Options{Services: []*config.Service{s}, Environ: environ}); err != nil {
			return probe{}, nil, err
		}
		settings, ok := s.Settings.(dependency.Settings)
		if !ok {
			return probe{}, nil, fmt.Errorf("%T opens no checker", s.Settings)
		}
		checker, err := dependency.Open(settings, dependency.Instance{Prefix: s.Prefix(), Timeout: timeout})
		if err != nil {
			return probe{}, nil, err
		}
		return probe{of: ours, service: service, allocations: allocationsHere, run: func(ctx context.Context) error {
			_, err := checker.Check(ctx)
			return err
		}}, checker, nil
	}
	return probe{}, nil, errors.New("no service is called " + service)
}

func allocationsHere(context.Context) (float64, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.Mallocs), nil
}

// probes returns the ways to ask a service that is at the address. The exporters are started.
func (w *world) probes(ctx context.Context, service, address string) ([]probe, error) {
	us, closer, err := ourProbe(service, append(w.env(), servers.At(service, address)...)...)
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, closer.Close)
	if service == "redis" {
		dsn := "redis://:" + w.redis.Password + "@" + address
		exporter, err := w.exporter(ctx, "redis", "REDIS_ADDR=redis://"+address, "REDIS_PASSWORD="+w.redis.Password)
		return []probe{us, here("health-go redis", service, helloredis.New(helloredis.Config{DSN: dsn})), exporter}, err
	}
	dsn := strings.Replace(w.postgres.URL(), w.postgres.Addr(), address, 1)
	exporter, err := w.exporter(ctx, "postgres", "DATA_SOURCE_NAME="+dsn)
	return []probe{
		us, here("health-go pgx5", service, pgx5.New(pgx5.Config{DSN: dsn})),
		here("health-go postgres", service, hellopostgres.New(hellopostgres.Config{DSN: dsn})), exporter,
	}, err
}

func here(of, service string, run func(context.Context) error) probe {
	return probe{of: of, service: service, run: run, allocations: allocationsHere}
}

// exporter starts Debian's exporter for a server. A probe of it is a scrape.
func (w *world) exporter(ctx context.Context, of string, env ...string) (probe, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return probe{}, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // it binds the address itself
		return probe{}, err
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/prometheus-"+of+"-exporter", "--web.listen-address="+address)
	cmd.Env = env
	p, err := program.Start(cmd)
	if err != nil {
		return probe{}, err
	}
	w.close = append(w.close, func() error { p.Kill(); return nil })
	url := "http://" + address + "/metrics"
	var last error
	if !poll.Poll(ctx, time.Minute, func() bool { _, last = scrape(ctx, url); return last == nil }) {
		return probe{}, fmt.Errorf("%s_exporter: %w; its log:\n%s", of, last, p.Log())
	}
	return probe{
		of: of + "_exporter", service: map[string]string{"postgres": "database", "redis": "redis"}[of], pid: p.PID(),
		run:         func(ctx context.Context) error { _, err := scrape(ctx, url); return err },
		allocations: func(ctx context.Context) (float64, error) { return scrapedAllocations(ctx, url) },
	}, nil
}

// scrape reads the metrics of an exporter that reaches its server.
func scrape(ctx context.Context, url string) (string, error) {
	got, err := fetch(ctx, url)
	switch {
	case err != nil:
		return "", err
	case !strings.Contains(string(got.Body), "\npg_up 1\n") && !strings.Contains(string(got.Body), "\nredis_up 1\n"):
		return "", fmt.Errorf("%s tells of no server that is up", url)
	}
	return string(got.Body), nil
}

func scrapedAllocations(ctx context.Context, url string) (float64, error) {
	text, err := scrape(ctx, url)
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(text, "\ngo_memstats_mallocs_total ")
	line, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(line, 64)
}

// asked returns the servers that are asked.
func (w *world) asked() []probed {
	return []probed{
		{w, "database", w.postgres.Instance().PID, w.postgresStatements},
		{w, "redis", w.redis.Instance().PID, w.redisCommands},
	}
}

// postgresStatements counts those of a relay's clients: the count itself is not among them.
func (w *world) postgresStatements(ctx context.Context) (n int64, err error) {
	conn, err := pgx.Connect(ctx, w.postgres.URL())
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT coalesce(sum(calls), 0)::int8 FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'").Scan(&n)
	return n, err
}

// redisCommands leaves out those that this function has sent before.
func (w *world) redisCommands(ctx context.Context) (int64, error) {
	text, err := w.redis.Ask(ctx, "INFO", "stats")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(fmt.Sprint(text), "total_commands_processed:")
	line, _, _ := strings.Cut(after, "\r\n")
	return strconv.ParseInt(line, 10, 64)
}

// count tells what one probe costs the wire and the server: the same each time.
func (p probe) count(ctx context.Context, on probed, way *relay.Relay) (statements, trips, bytes float64, err error) {
	overhead, err := on.countsCost(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	if err := p.run(ctx); err != nil { // the first one connects, where that is kept
		return 0, 0, 0, fmt.Errorf("%s: %w", p.of, err)
	}
	before, err := on.statements(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	tripsBefore, bytesBefore := way.RoundTrips.Load(), way.Bytes.Load()
	for range counted {
		if err := p.run(ctx); err != nil {
			return 0, 0, 0, fmt.Errorf("%s: %w", p.of, err)
		}
	}
	trips, bytes = float64(way.RoundTrips.Load()-tripsBefore), float64(way.Bytes.Load()-bytesBefore)
	after, err := on.statements(ctx)
	return float64(after-before-overhead) / counted, trips / counted, bytes / counted, err
}

// countsCost returns how many statements the counting adds.
func (on probed) countsCost(ctx context.Context) (int64, error) {
	first, err := on.statements(ctx)
	if err != nil {
		return 0, err
	}
	second, err := on.statements(ctx)
	return second - first, err
}

// measureProbe takes the time of probes, which go to the server itself and not over a relay.
func measureProbe(ctx context.Context, r *results, p probe, on probed, counts []value) error {
	pid := p.pid
	spentBy := func() (time.Duration, error) { return spentHere(), nil }
	if pid != 0 {
		spentBy = func() (time.Duration, error) { return spent(pid) }
	}
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.of, err)
	}
	allocations, err1 := p.allocations(ctx)
	server, err2 := spent(on.pid)
	client, err3 := spentBy()
	begin := time.Now()
	for range timed {
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.of, err)
		}
	}
	took := time.Since(begin)
	clientAfter, err4 := spentBy()
	serverAfter, err5 := spent(on.pid)
	allocationsAfter, err6 := p.allocations(ctx)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	values := []value{
		{float64(took) / timed, unitTime},
		{float64(clientAfter-client) / timed, unitCPU},
		{float64(serverAfter-server) / timed, unitServerCPU},
		{(allocationsAfter - allocations) / timed, unitAllocs},
	}
	r.add(partProbe, []string{"of", strings.ReplaceAll(p.of, " ", "-"), "service", p.service}, append(values, counts...)...)
	return nil
}

// prober measures all probes.
type prober struct {
	direct []probe
	on     []probed
	counts [][]value
}

// newProber counts what each probe costs the wire, over relays, and prepares the same probes
// with no relay.
func (w *world) newProber(ctx context.Context) (*prober, error) {
	all := new(prober)
	way, err := w.newWays()
	if err != nil {
		return nil, err
	}
	for i, on := range w.asked() {
		relayed, err := w.probes(ctx, on.service, way.relays[i].Addr())
		if err != nil {
			return nil, err
		}
		address := map[string]string{"database": w.postgres.Addr(), "redis": w.redis.Addr()}[on.service]
		direct, err := w.probes(ctx, on.service, address)
		if err != nil {
			return nil, err
		}
		for j, p := range relayed {
			statements, trips, bytes, err := p.count(ctx, on, way.relays[i])
			if err != nil {
				return nil, err
			}
			all.direct, all.on = append(all.direct, direct[j]), append(all.on, on)
			all.counts = append(all.counts, []value{{statements, unitStatements}, {trips, unitTrips}, {bytes, unitBytes}})
		}
	}
	return all, nil
}

func (all *prober) measure(ctx context.Context, r *results) error {
	for _, i := range r.shuffled(len(all.direct)) {
		if err := measureProbe(ctx, r, all.direct[i], all.on[i], all.counts[i]); err != nil {
			return err
		}
	}
	return nil
}
