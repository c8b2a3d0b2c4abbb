// Package scale measures what many sidecars cost their servers. It runs the checks of so many
// sidecars in one process, with the product's own wiring and default settings, against a real
// PostgreSQL, Redis, MinIO and Ollama on loopback, and stops and starts servers under them.
// hack/scale calls it, for `make scale`; its own test runs it small, so that it stays true.
//
// What it measures is an upper bound for the servers: the loops and the servers share the
// machine's processors, and each login costs the loops as much as a sidecar of its own.
package scale

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say what to measure.
type Options struct {
	// Dir is a folder for the servers, which other users may enter. Required.
	Dir string
	// Loops is the number of sidecars.
	Loops int
	// Pooled puts a PgBouncer with 20 connections between the sidecars and PostgreSQL.
	Pooled bool
	// Ramp is the time from the start of one sidecar to that of the next: Pods of a rollout do not
	// all start in the same moment.
	Ramp time.Duration
	// Settle is the time from when all are healthy to the measurement, and Steady that of the
	// measurement.
	Settle, Steady time.Duration
	// Outages are the times for which PostgreSQL is stopped, one after the other.
	Outages []time.Duration
	// Vars are further variables of the sidecars.
	Vars []servers.Var
	// Progress gets a line now and then.
	Progress func(line string)
}

// Report is what was measured.
type Report struct {
	Loops  int
	Pooled bool
	// Start is what happened as the sidecars began.
	Start    Herd
	Steady   time.Duration
	Services []ServiceReport
	// LoopsCPU is what the loops took, in cores.
	LoopsCPU float64
	// All is the evenness of all checks of all services.
	All Evenness
	// Messages is how many messages of the database's check the server answered; Checks are bounds
	// on how many checks there were: those that had ended before, and those that had begun after it
	// was counted.
	Messages int
	Checks   [2]int
	Parts    []Part
	Outages  []Outage
}

// ServiceReport is what one server had to do while all was well.
type ServiceReport struct {
	Name string
	// Connections is how many there were on average, Peak at most.
	Connections float64
	Peak        int
	// Made and Checks are new connections and checks per second.
	Made, Checks float64
	// CPU is that of the server, in cores.
	CPU      float64
	Evenness Evenness
	// Failed counts the checks that failed.
	Failed int
}

// Herd is what all sidecars do that find a server at once.
type Herd struct {
	// Healthy is when every sidecar found all services healthy, from when the server was started.
	Healthy time.Duration
	// Missing is how many had not after three minutes, and Example why one of them had not.
	Missing int
	Example string
	// Logins is how many there were until then, PeakLogins the most within a second, and
	// PeakLogins100 within 100 ms.
	Logins, PeakLogins, PeakLogins100 int
	// Failures counts the checks that began after the server answered and failed, by reason.
	Failures map[health.Reason]int
	// Refusals counts the server's own messages.
	Refusals map[string]int
	// After is the evenness of the database's checks in the three intervals after that.
	After Evenness
}

// Outage is a time in which PostgreSQL was stopped.
type Outage struct {
	Down time.Duration // as asked for
	// Began is the most checks of the database within a second while it was down.
	Began int
	Herd  Herd
}

// database is the name of the service whose server is stopped.
const database = "database"

// stage is the servers.
type stage struct {
	postgres *servers.Postgres
	bouncer  *servers.PgBouncer
	others   []servers.Server
}

func (s *stage) close() error {
	var errs []error
	for _, other := range s.others {
		errs = append(errs, other.Close())
	}
	if s.bouncer != nil {
		errs = append(errs, s.bouncer.Close())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	return errors.Join(errs...)
}

// startPostgres starts PostgreSQL with room for the loops, and migrates the database.
func (s *stage) startPostgres(ctx context.Context, o Options, hba ...string) (err error) {
	s.postgres, err = servers.StartPostgres(ctx, servers.PostgresOptions{
		Options: servers.Options{Dir: filepath.Join(o.Dir, "postgres"), Progress: o.Progress},
		Settings: map[string]string{
			"max_connections":                   strconv.Itoa(2*o.Loops + 50),
			"shared_preload_libraries":          "pg_stat_statements",
			"pg_stat_statements.track_planning": "on",
			"log_connections":                   "on",
			"log_line_prefix":                   "%m ",
		},
		HBA: hba,
	})
	if err != nil {
		return err
	}
	if err := s.postgres.SQL(ctx, "create extension if not exists pg_stat_statements"); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, s.postgres.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := migrate.New(pool, migrate.Options{})
	if err == nil {
		_, err = migrator.Up(ctx)
	}
	return err
}

// start starts all servers and returns the variables of the sidecars.
func (s *stage) start(ctx context.Context, o Options) (vars []servers.Var, err error) {
	if err := s.startPostgres(ctx, o); err != nil {
		return nil, err
	}
	vars = s.postgres.Env()
	if o.Pooled {
		s.bouncer, err = servers.NewPgBouncer(servers.PgBouncerOptions{
			Options:  servers.Options{Dir: filepath.Join(o.Dir, "pgbouncer"), Progress: o.Progress},
			Postgres: s.postgres,
			Settings: map[string]string{"max_client_conn": strconv.Itoa(2*o.Loops + 50), "default_pool_size": "20"},
		})
		if err == nil {
			err = s.bouncer.Start(ctx)
		}
		if err != nil {
			return nil, err
		}
		vars = s.bouncer.Env()
	}
	set, err := servers.NewSet(servers.Options{Dir: o.Dir, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	for _, server := range set {
		if server.Name() == s.postgres.Name() {
			err = errors.Join(err, server.Close())
			continue
		}
		s.others = append(s.others, server)
	}
	for _, server := range s.others {
		err = errors.Join(err, server.Start(ctx))
		vars = append(vars, server.Env()...)
	}
	return vars, err
}

// front is the log of what the sidecars log in to.
func (s *stage) front() serverLog {
	if s.bouncer != nil {
		return pgbouncerLog(s.bouncer.Log())
	}
	return postgresLog(s.postgres.Log())
}

// measured is a server that is measured.
type measured struct {
	name    string // of the service, or of the server that is none
	port    int
	process *servers.Process
}

func (s *stage) measured() (all []measured) {
	if s.bouncer == nil {
		all = append(all, measured{database, s.postgres.Port(), s.postgres.Process})
	} else {
		all = append(all,
			measured{database, s.bouncer.Port(), s.bouncer.Process},
			measured{"postgres", s.postgres.Port(), s.postgres.Process})
	}
	for _, server := range s.others {
		switch server := server.(type) {
		case *servers.Redis:
			all = append(all, measured{"redis", server.Port(), server.Process})
		case *servers.MinIO:
			all = append(all, measured{"minio", server.Port(), server.Process})
		case *servers.Ollama:
			all = append(all, measured{"ollama", server.Port(), server.Process})
		}
	}
	return all
}

// run is one run under way.
type run struct {
	Options
	stage *stage
	loops *loops
	began time.Time
}

func (r *run) say(format string, args ...any) {
	r.Progress(fmt.Sprintf("%5.0f s  %s", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...)))
}

// Run measures.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := enoughFiles(8 * o.Loops); err != nil {
		return nil, err
	}
	r := &run{Options: o, stage: &stage{}, began: time.Now()}
	defer func() { err = errors.Join(err, r.stage.close()) }()
	vars, err := r.stage.start(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := r.stage.postgres.SQL(ctx, "select pg_stat_statements_reset()"); err != nil {
		return nil, err
	}
	report = &Report{Loops: o.Loops, Pooled: o.Pooled, Steady: o.Steady}
	r.say("starting %d loops in %s", o.Loops, time.Duration(o.Loops)*o.Ramp)
	began := time.Now()
	if r.loops, err = startLoops(ctx, o.Loops, o.Ramp, append(vars, o.Vars...)); err != nil {
		return nil, err
	}
	defer r.loops.end()
	if report.Start, err = r.herd(ctx, began); err != nil {
		return nil, err
	}
	r.say("%d of %d are healthy after %.1f s", o.Loops-report.Start.Missing, o.Loops, report.Start.Healthy.Seconds())
	if err := poll.Pause(ctx, o.Settle); err != nil {
		return nil, err
	}
	if err := r.measure(ctx, report); err != nil {
		return nil, err
	}
	for _, down := range o.Outages {
		outage, err := r.outage(ctx, down)
		if err != nil {
			return nil, err
		}
		report.Outages = append(report.Outages, *outage)
	}
	return report, nil
}

// measure watches while all is well.
func (r *run) measure(ctx context.Context, report *Report) error {
	r.say("measuring for %s", r.Steady)
	servers := r.stage.measured()
	var ports []int
	before := make([]time.Duration, len(servers))
	for i, s := range servers {
		ports = append(ports, s.port)
		var err error
		if before[i], err = s.process.CPU(); err != nil {
			return err
		}
	}
	loopsBefore, err := ownCPU()
	if err != nil {
		return err
	}
	from, watch := time.Now(), watchSockets(ctx, ports...)
	paused := poll.Pause(ctx, r.Steady)
	seen, to := watch.end(), time.Now()
	if paused != nil {
		return paused
	}
	loopsAfter, err := ownCPU()
	if err != nil {
		return err
	}
	seconds := to.Sub(from).Seconds()
	report.LoopsCPU = (loopsAfter - loopsBefore).Seconds() / seconds
	report.All = evennessOf(begins(r.loops.journal.between("", from, to)), from, to)
	for i, s := range servers {
		after, err := s.process.CPU()
		if err != nil {
			return err
		}
		use, checks := seen[s.port], r.loops.journal.between(s.name, from, to)
		report.Services = append(report.Services, ServiceReport{
			Name: s.name, Connections: use.mean(), Peak: use.peak, Made: float64(use.made()) / seconds,
			Checks: float64(len(checks)) / seconds, CPU: (after - before[i]).Seconds() / seconds,
			Evenness: evennessOf(begins(checks), from, to), Failed: failed(checks),
		})
	}
	_, report.Checks[0] = r.loops.journal.counts(database)
	if report.Messages, err = messages(ctx, r.stage.postgres); err != nil {
		return err
	}
	report.Checks[1], _ = r.loops.journal.counts(database)
	report.Parts, err = parts(ctx, r.stage.postgres)
	return err
}

func begins(checks []check) (moments []time.Time) {
	for _, c := range checks {
		moments = append(moments, c.started)
	}
	return moments
}

func failed(checks []check) (n int) {
	for _, c := range checks {
		if c.reason != "" {
			n++
		}
	}
	return n
}

// outage stops PostgreSQL and starts it again.
func (r *run) outage(ctx context.Context, down time.Duration) (*Outage, error) {
	r.say("stopping PostgreSQL for %s", down)
	stopped := time.Now()
	if err := r.stage.postgres.Stop(); err != nil {
		return nil, err
	}
	if err := poll.Pause(ctx, down); err != nil {
		return nil, err
	}
	started := time.Now()
	if err := r.stage.postgres.Start(ctx); err != nil {
		return nil, err
	}
	o := &Outage{Down: down, Began: mostPer(time.Second, begins(r.loops.journal.between(database, stopped, started)))}
	var err error
	// The server takes logins before Start has seen that it does.
	if o.Herd, err = r.herd(ctx, started); err != nil {
		return nil, err
	}
	r.say("%d of %d are healthy %.1f s after it was started", r.Loops-o.Herd.Missing, r.Loops, o.Herd.Healthy.Seconds())
	return o, nil
}

// recoverLimit is how long all sidecars may take to be healthy.
const recoverLimit = 3 * time.Minute

// herd waits until every sidecar has checked the database since then and all of them find all
// services healthy, and for three intervals more.
func (r *run) herd(ctx context.Context, since time.Time) (Herd, error) {
	h := Herd{Failures: map[health.Reason]int{}}
	said := time.Now()
	poll.Poll(ctx, recoverLimit, func() bool {
		if h.Missing, h.Example = r.waiting(since), "no check of the database has succeeded yet"; h.Missing == 0 {
			h.Missing, h.Example = r.loops.unhealthy("")
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			r.say("%d are not healthy: %s", h.Missing, h.Example)
		}
		return h.Missing == 0
	})
	if err := ctx.Err(); err != nil {
		return h, err
	}
	healthy := time.Now()
	h.Healthy = healthy.Sub(since)
	for _, c := range r.loops.journal.between(database, since, healthy) {
		if c.reason != "" {
			h.Failures[c.reason]++
		}
	}
	logins, refusals, err := r.stage.front().events(since, healthy)
	if err != nil {
		return h, err
	}
	h.Refusals, h.Logins = refusals, len(logins)
	h.PeakLogins, h.PeakLogins100 = mostPer(time.Second, logins), mostPer(window, logins)
	if err := poll.Pause(ctx, 3*r.interval()); err != nil {
		return h, err
	}
	h.After = evennessOf(begins(r.loops.journal.between(database, healthy, time.Now())), healthy, time.Now())
	return h, nil
}

// interval is that of the database's checks.
func (r *run) interval() time.Duration {
	i := slices.IndexFunc(r.loops.services, func(s *health.Service) bool { return s.Name == database })
	return r.loops.services[i].Interval
}

// waiting counts the sidecars without a check of the database that began since then and succeeded.
func (r *run) waiting(since time.Time) int {
	reached := map[int]bool{}
	for _, c := range r.loops.journal.between(database, since, time.Now()) {
		if !c.ended.IsZero() && c.reason == "" {
			reached[c.loop] = true
		}
	}
	return r.Loops - len(reached)
}
