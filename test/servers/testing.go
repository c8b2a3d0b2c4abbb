package servers

import (
	"net"
	"os"
	"testing"
)

// RunPostgres starts a PostgreSQL for the test and removes it at its end.
func RunPostgres(tb testing.TB, o PostgresOptions) *Postgres {
	tb.Helper()
	return run(tb, &o.Options, func() (*Postgres, error) { return NewPostgres(o) })
}

// RunStandby starts a standby of pg for the test and removes it at its end.
func RunStandby(tb testing.TB, pg *Postgres) *Postgres {
	tb.Helper()
	var o Options
	return run(tb, &o, func() (*Postgres, error) { return NewStandby(pg, o) })
}

// RunPgBouncer starts a PgBouncer for the test and removes it at its end.
func RunPgBouncer(tb testing.TB, o PgBouncerOptions) *PgBouncer {
	tb.Helper()
	return run(tb, &o.Options, func() (*PgBouncer, error) { return NewPgBouncer(o) })
}

// RunRedis starts a Redis for the test and removes it at its end.
func RunRedis(tb testing.TB, o RedisOptions) *Redis {
	tb.Helper()
	return run(tb, &o.Options, func() (*Redis, error) { return NewRedis(o) })
}

// RunRedisCluster starts a Redis Cluster of so many masters, without replicas, for the test
// and removes it at its end.
func RunRedisCluster(tb testing.TB, masters int) []*Redis {
	tb.Helper()
	nodes := make([]*Redis, masters)
	for i := range nodes {
		nodes[i] = RunRedis(tb, RedisOptions{Cluster: true})
	}
	if err := joinCluster(tb.Context(), nodes); err != nil {
		tb.Fatal(err)
	}
	return nodes
}

// RunSentinels starts a Redis with a replica, and so many Sentinels, for the test, and
// removes them at its end. They are ready for a failover.
func RunSentinels(tb testing.TB, count int, o SentinelOptions) (master, replica *Redis, sentinels []*Sentinel) {
	tb.Helper()
	master = RunRedis(tb, RedisOptions{TLS: o.TLS})
	replica = RunRedis(tb, RedisOptions{TLS: o.TLS, ReplicaOf: master})
	if err := follows(tb.Context(), replica); err != nil {
		tb.Fatal(err)
	}
	o.Master, o.Quorum = master, count/2+1
	for range count {
		o.Dir = ""
		sentinels = append(sentinels, run(tb, &o.Options, func() (*Sentinel, error) { return NewSentinel(o) }))
	}
	if err := acquainted(tb.Context(), sentinels); err != nil {
		tb.Fatal(err)
	}
	return master, replica, sentinels
}

// RunMinIO starts a MinIO for the test and removes it at its end.
func RunMinIO(tb testing.TB, o MinIOOptions) *MinIO {
	tb.Helper()
	return run(tb, &o.Options, func() (*MinIO, error) { return NewMinIO(o) })
}

// RunOllama starts an Ollama for the test and removes it at its end.
func RunOllama(tb testing.TB, o OllamaOptions) *Ollama {
	tb.Helper()
	return run(tb, &o.Options, func() (*Ollama, error) { return NewOllama(o) })
}

// RunProxy starts a proxy for the test and removes it at its end.
func RunProxy(tb testing.TB, o ProxyOptions) *Proxy {
	tb.Helper()
	return run(tb, &o.Options, func() (*Proxy, error) { return NewProxy(o) })
}

// RunProgram starts a program for the test and removes it at its end.
func RunProgram(tb testing.TB, o ProgramOptions) *Program {
	tb.Helper()
	return run(tb, &o.Options, func() (*Program, error) { return NewProgram(o) })
}

// RunPrometheus starts a Prometheus for the test and removes it at its end.
func RunPrometheus(tb testing.TB, o PrometheusOptions) *Prometheus {
	tb.Helper()
	return run(tb, &o.Options, func() (*Prometheus, error) { return NewPrometheus(o) })
}

// RunAlertmanager starts an Alertmanager for the test and removes it at its end.
func RunAlertmanager(tb testing.TB, o AlertmanagerOptions) *Alertmanager {
	tb.Helper()
	return run(tb, &o.Options, func() (*Alertmanager, error) { return NewAlertmanager(o) })
}

// run gives the server a folder, unless the test has chosen one, starts it, and
// ends it with the test. When the test failed, it shows the server's log.
func run[S Server](tb testing.TB, o *Options, setUp func() (S, error)) S {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = TempDir(tb)
	}
	if o.Progress == nil {
		o.Progress = func(line string) { tb.Log(line) }
	}
	s, err := setUp()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("the log of %s ends:\n%s", s.Name(), s.LogTail())
		}
	})
	if err := s.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// FreeAddr returns an address of loopback on which nothing listens.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TempDir differs from the test's own TempDir in that other users may enter it:
// servers that refuse to run as root have to.
func TempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "reims-health-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		tb.Fatal(err)
	}
	return dir
}
