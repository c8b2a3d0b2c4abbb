package e2e_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// A megabyte is 10^6 bytes, as in the promises of the README.
const megabyte = 1e6

// BenchmarkOutage measures, with the default intervals and timeouts, from breaking
// PostgreSQL to the 503 of /health/ready, and from mending it to the 200.
func BenchmarkOutage(b *testing.B) {
	for _, outage := range []struct {
		name       string
		fail, mend func(*servers.Postgres) error
	}{
		{"killed", (*servers.Postgres).Kill, func(p *servers.Postgres) error { return p.Start(b.Context()) }},
		{"frozen", (*servers.Postgres).Freeze, (*servers.Postgres).Thaw},
	} {
		b.Run(outage.name, func(b *testing.B) {
			pg := servers.RunPostgres(b, servers.PostgresOptions{})
			s := startSidecar(b, asShipped(with(pg.Env(), "HEALTH_SERVICES", "database"))...)
			var down, up time.Duration
			for b.Loop() {
				s.await("/health/ready", time.Minute, isOK)
				down += s.timed(outage.fail(pg), func(a answer) bool { return a.code == 503 })
				up += s.timed(outage.mend(pg), isOK)
			}
			b.ReportMetric(float64(down.Milliseconds())/float64(b.N), "ms-to-503")
			b.ReportMetric(float64(up.Milliseconds())/float64(b.N), "ms-to-200")
		})
	}
}

// asShipped takes the default intervals and timeouts again.
func asShipped(vars []servers.Var) []servers.Var {
	for _, name := range prefixes {
		vars = with(with(vars, name+"_PROBE_INTERVAL", ""), name+"_PROBE_TIMEOUT", "")
	}
	return vars
}

func (s *sidecar) timed(err error, wanted func(answer) bool) time.Duration {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	_, d := s.await("/health/ready", time.Minute, wanted)
	return d
}

// statusBytes returns a field of what Linux says about a process, such as VmRSS, in bytes.
func statusBytes(t testing.TB, pid int, field string) float64 {
	t.Helper()
	bytes, err := program.Status(pid, field)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
