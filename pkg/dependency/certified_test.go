package dependency_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

const week = 7 * day

// validities are when a server's certificate is valid, and what is said of it where it is
// verified.
func validities() map[string]struct {
	valid  servers.Validity
	reason health.Reason // empty: healthy
	words  string
} {
	now := time.Now().Truncate(time.Second)
	return map[string]struct {
		valid  servers.Validity
		reason health.Reason
		words  string
	}{
		"far":           {servers.Validity{From: now.Add(-30 * day), Until: now.Add(60 * day)}, "", ""},
		"about to end":  {servers.Validity{From: now.Add(-30 * day), Until: now.Add(3 * day)}, health.ReasonCertificateExpiring, "the server's certificate ends at "},
		"ended":         {servers.Validity{From: now.Add(-30 * day), Until: now.Add(-time.Hour)}, health.ReasonCertificateExpired, "the server's certificate ended at "},
		"not yet valid": {servers.Validity{From: now.Add(day), Until: now.Add(60 * day)}, health.ReasonTLS, "is not valid before "},
	}
}

// service returns the checker of a service, which has always been of its kind, with these
// variables, as the program opens it. Later variables win.
func service(t *testing.T, name string, variables ...servers.Var) *opened {
	t.Helper()
	given := make(map[string]string)
	for _, v := range variables {
		given[v.Name] = v.Value
	}
	var environ []string
	for name, value := range given {
		environ = append(environ, name+"="+value)
	}
	kinds := registry.Kinds()
	cfg, _, err := config.Load(config.Options{Services: kinds.Services(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cfg.Service(name)
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := s.Settings.(dependency.Settings)
	i := slices.IndexFunc(kinds, func(k dependency.Kind) bool { return k.Service == name })
	if !ok || i < 0 {
		t.Fatal("no kind has the service " + name)
	}
	c, err := dependency.Open(settings, dependency.Instance{
		Prefix: s.Prefix(), Timeout: 20 * time.Second, CertificateWarning: cfg.Health.CertificateWarning,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &opened{closing(t, c), kinds[i]}
}

type opened struct {
	dependency.Checker
	kind dependency.Kind
}

// certificate checks once. It must say this of the certificate, and report its end.
func certificate(t *testing.T, c *opened, until time.Time, reason health.Reason, words string) {
	t.Helper()
	seen, err := c.Check(t.Context())
	if reason == "" && err != nil {
		t.Fatalf("Check returned %v, want none", err)
	}
	if reason != "" {
		checking.Says(t, checking.WantFault(t, err, reason), words)
	}
	wantEnd(t, checking.Declared(t, c.kind, seen), until)
}

func wantEnd(t *testing.T, seen health.Observation, until time.Time) {
	t.Helper()
	i := slices.IndexFunc(seen.Values, func(v health.Value) bool { return v.Name == "certificate_not_after" })
	if i < 0 {
		t.Fatalf("no certificate_not_after among %v", seen.Values)
	}
	if got := seen.Values[i].Moment(); !got.Equal(until.Truncate(time.Second)) {
		t.Errorf("the certificate ends at %v, want %v", got, until)
	}
}

func TestCertificatesOfPostgres(t *testing.T) {
	t.Parallel()
	for name, c := range validities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true, Valid: c.valid})
			unverified, said := c.reason, c.words
			switch c.reason {
			case health.ReasonCertificateExpired: // nobody looks, and the program says so
				unverified, said = health.ReasonCertificateExpiring, "the sidecar does not verify it"
			case health.ReasonTLS:
				unverified, said = "", ""
			}
			for _, mode := range []string{"verify-full", "verify-ca", "require with a root", "require", "prefer"} {
				sslmode, verified, _ := strings.Cut(mode, " ")
				root, reason, words := "", unverified, said
				if verified != "" || strings.HasPrefix(mode, "verify-") {
					root, reason, words = pg.CAFile(), c.reason, c.words
				}
				checker := service(t, "database", postgresVariables(pg, sslmode, root)...)
				certificate(t, checker, c.valid.Until, reason, words)
			}
		})
	}
}

func postgresVariables(pg *servers.Postgres, mode, root string) []servers.Var {
	return append(pg.Env(), servers.Var{Name: "DATABASE_SSLMODE", Value: mode}, servers.Var{Name: "DATABASE_SSLROOTCERT", Value: root},
		servers.Var{Name: "DATABASE_SCHEMA_CHECK", Value: "off"})
}

func TestCertificatesOfRedis(t *testing.T) {
	t.Parallel()
	for name, c := range validities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servers.RunRedis(t, servers.RedisOptions{TLS: true, Valid: c.valid})
			checker := service(t, "redis", r.Env()...)
			certificate(t, checker, c.valid.Until, c.reason, c.words)
			certificate(t, checker, c.valid.Until, c.reason, c.words) // on the same connection
			reason := c.reason
			if reason != health.ReasonCertificateExpired {
				reason = health.ReasonTLS // the system does not know the authority
			}
			checker = service(t, "redis", append(r.Env(), servers.Var{Name: "REDIS_CA_FILE", Value: ""})...)
			certificate(t, checker, c.valid.Until, reason, "")
		})
	}
}

func TestCertificatesOfMinIO(t *testing.T) {
	t.Parallel()
	for name, c := range validities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := servers.RunMinIO(t, servers.MinIOOptions{TLS: true, Valid: c.valid})
			certificate(t, service(t, "minio", m.Env()...), c.valid.Until, c.reason, c.words)
		})
	}
}

// Ollama's certificate must lead to one of the system's authorities, which no test can have.
// One that has ended is named all the same, and the end of any other is reported.
func TestCertificatesOfOllama(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, time.Now().Add(-90*day), time.Now().Add(90*day))
	for name, c := range validities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := authority.Issue(t, c.valid.From, c.valid.Until, "127.0.0.1")
			addr := checking.Answering(t, checking.Handshaking(cert, checking.Drain))
			reason, words := c.reason, c.words
			if reason != health.ReasonCertificateExpired && reason != health.ReasonTLS {
				reason, words = health.ReasonTLS, ""
			}
			certificate(t, service(t, "ollama", servers.Var{Name: "OLLAMA_HOST", Value: "https://" + addr}), c.valid.Until, reason, words)
		})
	}
}

// What else can be wrong with a certificate is a fault of TLS, and its end is reported. An
// authority that has ended is as bad as a certificate that has.
func TestCertificateChains(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	at := func(days int) time.Time { return now.Add(time.Duration(days) * day) }
	root := checking.NewAuthority(t, at(-900), at(900))
	stranger := checking.NewAuthority(t, at(-900), at(900))
	for name, c := range map[string]struct {
		issuer *checking.Authority
		host   string
		until  int // days from now
		end    int // of what is reported
		reason health.Reason
		words  string
	}{
		"good":                      {root.Below(t, at(-90), at(90)), "127.0.0.1", 30, 30, "", ""},
		"authority is about to end": {root.Below(t, at(-90), at(2)), "127.0.0.1", 30, 2, health.ReasonCertificateExpiring, "an authority that vouches for the server ends at"},
		"authority has ended":       {root.Below(t, at(-90), at(-2)), "127.0.0.1", 30, -2, health.ReasonCertificateExpired, "an authority that vouches for the server ended at"},
		"another's":                 {root, "127.0.0.2", 30, 30, health.ReasonTLS, ""},
		"unknown authority":         {stranger, "127.0.0.1", 30, 30, health.ReasonTLS, ""},
		"another's, about to end":   {root, "example.com", 2, 2, health.ReasonTLS, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := c.issuer.Issue(t, at(-60), at(c.until), c.host)
			const noBuckets = "<ListAllMyBucketsResult></ListAllMyBucketsResult>"
			answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(noBuckets), noBuckets)
			addr := checking.Answering(t, checking.Handshaking(cert, checking.Saying(answer)))
			checker := service(t, "minio", servers.Var{Name: "MINIO_ENDPOINT", Value: addr}, servers.Var{Name: "MINIO_SECURE", Value: "on"},
				servers.Var{Name: "MINIO_CA_FILE", Value: root.File(t)})
			certificate(t, checker, at(c.end), c.reason, c.words)
		})
	}
}

// A file with authorities that cannot be read is what is wrong; the end is reported with it.
func TestCertificateWithoutCAFile(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(2 * day)
	cert := checking.NewAuthority(t, time.Now(), until).Issue(t, time.Now(), until, "127.0.0.1")
	addr := checking.Answering(t, checking.Handshaking(cert, checking.Drain))
	host, port, _ := net.SplitHostPort(addr)
	checker := service(t, "redis", servers.Var{Name: "REDIS_HOST", Value: host}, servers.Var{Name: "REDIS_PORT", Value: port},
		servers.Var{Name: "REDIS_TLS", Value: "on"}, servers.Var{Name: "REDIS_CA_FILE", Value: t.TempDir() + "/none"})
	certificate(t, checker, until, health.ReasonTLS, "_CA_FILE")
}

// A handshake that goes wrong in a way for which crypto/tls has no type is one all the same.
func TestHandshakeGoesWrong(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"message too long":     "\x16\x03\x03\x00\x05garba",
		"message out of order": "\x16\x03\x03\x00\x04\x14\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := checking.Answering(t, checking.Saying(answer))
			host, port, _ := net.SplitHostPort(addr)
			checking.Fails(t, service(t, "ollama", servers.Var{Name: "OLLAMA_HOST", Value: "https://" + addr}), health.ReasonTLS)
			checking.Fails(t, service(t, "redis", servers.Var{Name: "REDIS_HOST", Value: host}, servers.Var{Name: "REDIS_PORT", Value: port},
				servers.Var{Name: "REDIS_TLS", Value: "on"}), health.ReasonTLS)
		})
	}
}

// Another fault, such as a bucket that is missing, hides a certificate that is about to end,
// whose end is reported all the same.
func TestCertificateYieldsToOtherFaults(t *testing.T) {
	t.Parallel()
	valid := validities()["about to end"].valid
	m := servers.RunMinIO(t, servers.MinIOOptions{TLS: true, Valid: valid})
	checker := service(t, "minio", append(m.Env(), servers.Var{Name: "MINIO_BUCKETS", Value: "none"})...)
	certificate(t, checker, valid.Until, s3.ReasonBucketMissing, "none")
}

// A database that has turned TLS off has no certificate.
func TestCertificateIsForgottenInClear(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true, Valid: validities()["about to end"].valid})
	checker := service(t, "database", postgresVariables(pg, "prefer", "")...)
	checking.Fails(t, checker, health.ReasonCertificateExpiring)
	if err := pg.SQL(t.Context(), "ALTER SYSTEM SET ssl = off"); err != nil {
		t.Fatal(err)
	}
	if err := pg.SQL(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	redial(t, checker.Checker)
	seen := checking.Healthy(t, checker)
	if _, reported := seen.Find("certificate_not_after"); reported {
		t.Errorf("reported %v over a connection in clear", seen.Values)
	}
}

// A connection that is kept has no further handshake, and its certificate comes nearer to its
// end all the same.
func TestCertificateOfAKeptConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		authority := checking.NewAuthority(t, start, start.Add(900*day))
		kept := &keeping{file: authority.File(t), server: authority.Issue(t, start, start.Add(30*day), "kept.example")}
		c, err := dependency.Open(kept, dependency.Instance{CertificateWarning: week})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after  time.Duration // of the handshake
			reason health.Reason
			words  string
		}{
			{23 * day, "", ""},
			{23*day + time.Second, health.ReasonCertificateExpiring, "ends at 2000-01-31 00:00 UTC"},
			{30 * day, health.ReasonCertificateExpiring, "ends at"},
			{30*day + time.Second, health.ReasonCertificateExpiring, "ended at"},
		} {
			time.Sleep(time.Until(start.Add(step.after)))
			seen, err := c.Check(t.Context())
			if step.reason == "" && err != nil {
				t.Errorf("after %v: %v", step.after, err)
			} else if step.reason != "" {
				checking.Says(t, checking.WantFault(t, err, step.reason), step.words)
			}
			wantEnd(t, seen, start.Add(30*day))
		}
		redial(t, c)
		_, err = c.Check(t.Context())
		checking.Says(t, checking.WantFault(t, err, health.ReasonCertificateExpired), "ended at")
	})
}

// keeping is a service, and its settings, whose checker shakes hands at the first check and
// after Redial. Closing it does nothing.
type keeping struct {
	dependency.Settings
	io.Closer
	file   string
	server tls.Certificate
	config *tls.Config
	done   bool
}

func (k *keeping) Open(i dependency.Instance) (dependency.Checker, error) {
	k.config = dependency.TLSConfig(k.file, "", i.Certificates)
	k.config.ServerName = "kept.example"
	return k, nil
}

func (k *keeping) Redial() { k.done = false }

func (k *keeping) Check(ctx context.Context) (health.Observation, error) {
	if k.done {
		return health.Observation{}, nil
	}
	k.done = true
	// A net.Pipe has no buffer, and both sides may write at once. Nothing here waits for the
	// network between checks: that would stop the clock of the test.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return health.Observation{}, err
	}
	defer func() { _ = l.Close() }()
	var server sync.WaitGroup
	server.Go(func() {
		if conn, err := l.Accept(); err == nil {
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{k.server}}).HandshakeContext(ctx)
			_ = conn.Close()
		}
	})
	conn, err := (&tls.Dialer{Config: k.config}).DialContext(ctx, "tcp", l.Addr().String())
	if err == nil {
		_ = conn.Close()
	}
	server.Wait()
	if err != nil {
		return health.Observation{}, dependency.NetworkFault(err)
	}
	return health.Observation{}, nil
}

func redial(t *testing.T, c health.Checker) {
	t.Helper()
	r, ok := c.(health.Redialer)
	if !ok {
		t.Fatal("the checker cannot be made to redial")
	}
	r.Redial()
}
