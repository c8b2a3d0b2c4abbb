package faults_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// change breaks a server, and returns what mends it.
type change func(ctx context.Context, wire *relay.Relay) (mend func(context.Context) error, err error)

// subject is a kind of service, with a real server that all of its cells share. The cells that
// break the server itself have it for themselves.
type subject struct {
	kind    string
	server  process
	healthy sync.RWMutex // held for reading while a cell needs the server to be well

	// check returns the URL of VICTIM_CHECK for an address, with TLS or without.
	check func(address string, secure bool) string
	// vars are the variables to log in with, authority the one for the certificate's authority.
	vars      []servers.Var
	authority string
	// front is what a server with TLS says before the handshake, and the protocol that it
	// offers in it.
	front    func(net.Conn) error
	protocol string

	// What breaks the server. Nil: the fault has no meaning, or is one of the wire.
	exhaust, readOnly, password change
	// wrong is the address of a server of another kind, balancer that of one with no server.
	wrong, balancer string
}

type process interface {
	Addr() string
	Start(ctx context.Context) error
	Kill() error
	Freeze() error
	Thaw() error
}

func plainOrSecure(plain, secure, rest string) func(string, bool) string {
	return func(address string, tls bool) string {
		if tls {
			return secure + "://" + address + rest
		}
		return plain + "://" + address + rest
	}
}

// startSubjects starts the servers of all kinds.
func startSubjects(t *testing.T) map[string]*subject {
	t.Helper()
	text, rpc := startServer(t, "http"), startServer(t, "grpc")
	other := servers.RunRedis(t, servers.RedisOptions{})
	nothing := nowhere(t)
	http := servers.RunProxy(t, servers.ProxyOptions{Program: servers.HAProxy, Target: nothing}).Addr()
	tcp := servers.RunProxy(t, servers.ProxyOptions{Program: servers.HAProxy, Target: nothing, TCP: true}).Addr()
	all := map[string]*subject{}
	for _, s := range []*subject{
		postgresSubject(t), redisSubject(t, other), s3Subject(t), ollamaSubject(t), httpSubject(t),
		{kind: "tcp", server: startServer(t, "http"), check: plainOrSecure("tcp", "tls", "")},
		{kind: "grpc", server: startServer(t, "grpc"), check: plainOrSecure("grpc", "grpcs", ""), protocol: "h2"},
	} {
		s.wrong, s.balancer = text.Addr(), http
		switch s.kind {
		case "http":
			s.wrong = rpc.Addr()
		case "postgres": // most others wait for the rest of a line
			s.wrong, s.balancer = http, tcp
		case "redis", "tcp":
			s.balancer = tcp
		}
		if s.authority == "" {
			s.authority = "VICTIM_CA_FILE"
		}
		all[s.kind] = s
	}
	return all
}

// nowhere returns an address that refuses connections, and that no other program gets.
func nowhere(t *testing.T) string {
	t.Helper()
	r, err := relay.Start("")
	must(t, err)
	t.Cleanup(r.Close)
	must(t, r.Break(relay.Fault{Refuse: true}))
	return r.Addr()
}

// startServer starts this program as a server.
func startServer(t *testing.T, protocol string, args ...string) *servers.Program {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return servers.RunProgram(t, servers.ProgramOptions{Name: protocol, Path: path, Args: func(addr string) []string {
		return append([]string{"-serve=" + protocol, "-addr=" + addr}, args...)
	}})
}

func postgresSubject(t *testing.T) *subject {
	t.Helper()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"max_connections": "40"}})
	secret := rand.Text()
	must(t, pg.SQL(t.Context(), "create role app login password '"+secret+"'"))
	h := &servers.Hoard{URL: fmt.Sprintf("postgres://app:%s@%s/%s?sslmode=disable", secret, pg.Addr(), pg.Database)}
	t.Cleanup(func() { _ = h.Release(context.Background()) })
	statement := func(text string) func(context.Context) error {
		return func(ctx context.Context) error { return pg.SQL(ctx, text) }
	}
	readOnly := func(value string) func(context.Context) error {
		return func(ctx context.Context) error {
			return errors.Join(pg.SQL(ctx, "alter system set default_transaction_read_only = "+value), pg.SQL(ctx, "select pg_reload_conf()"))
		}
	}
	return &subject{
		kind: "postgres", server: pg, authority: "VICTIM_SSLROOTCERT",
		check: func(address string, secure bool) string {
			mode := "disable"
			if secure {
				mode = "verify-full"
			}
			return "postgres://app@" + address + "/" + pg.Database + "?sslmode=" + mode
		},
		vars:  []servers.Var{{Name: "VICTIM_PASSWORD", Value: secret}},
		front: acceptTLS,
		exhaust: func(ctx context.Context, wire *relay.Relay) (func(context.Context) error, error) {
			return takeAll(ctx, h, wire)
		},
		readOnly: inTurn(readOnly("on"), readOnly("off")),
		password: inTurn(statement("alter role app password 'another'"), statement("alter role app password '"+secret+"'")),
	}
}

// inTurn makes a change that ends no connection on the server. It cuts the wire instead, so that
// each client logs in again.
func inTurn(breaks, mend func(context.Context) error) change {
	return func(ctx context.Context, wire *relay.Relay) (func(context.Context) error, error) {
		if err := breaks(ctx); err != nil {
			return nil, err
		}
		wire.HangUp()
		return mend, nil
	}
}

// acceptTLS answers a client of PostgreSQL that asks whether there is TLS.
func acceptTLS(c net.Conn) error {
	request := make([]byte, 8)
	if _, err := io.ReadFull(c, request); err != nil {
		return err
	}
	_, err := c.Write([]byte("S"))
	return err
}

// takeAll takes all slots, that of the sidecar too.
func takeAll(ctx context.Context, h *servers.Hoard, wire *relay.Relay) (func(context.Context) error, error) {
	if err := h.Fill(ctx); err != nil {
		return nil, err
	}
	free := h.Len()
	taken := poll.Poll(ctx, time.Minute, func() bool {
		wire.HangUp()
		return h.Fill(ctx) == nil && h.Len() > free
	})
	if !taken {
		return nil, errors.New("the sidecar's slot cannot be taken")
	}
	return h.Release, nil
}

// redisSubject can become a replica of another one.
func redisSubject(t *testing.T, other *servers.Redis) *subject {
	t.Helper()
	secret := rand.Text()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"user app on >" + secret + " ~* +@all", "masterauth " + other.Password}})
	// A connection of its own, which a server that is full still serves.
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: r.Password, DisableIdentity: true, PoolSize: 1, MaxRetries: 30})
	t.Cleanup(func() { _ = client.Close() })
	command := func(args ...any) func(context.Context) error {
		return func(ctx context.Context) error { return client.Do(ctx, args...).Err() }
	}
	host, port, err := net.SplitHostPort(other.Addr())
	must(t, err)
	return &subject{
		kind: "redis", server: r,
		check:    plainOrSecure("redis", "rediss", ""),
		vars:     []servers.Var{{Name: "VICTIM_USERNAME", Value: "app"}, {Name: "VICTIM_PASSWORD", Value: secret}},
		exhaust:  inTurn(command("CONFIG", "SET", "maxclients", 1), command("CONFIG", "SET", "maxclients", 1000)),
		readOnly: inTurn(command("REPLICAOF", host, port), command("REPLICAOF", "NO", "ONE")),
		password: inTurn(command("ACL", "SETUSER", "app", "resetpass", ">another"), command("ACL", "SETUSER", "app", "resetpass", ">"+secret)),
	}
}

// anyBucket lets a key do everything in every bucket.
const anyBucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`

// s3Subject has four drives: with two of them gone, MinIO reads and does not write.
func s3Subject(t *testing.T) *subject {
	t.Helper()
	const bucket = "reims"
	m := servers.RunMinIO(t, servers.MinIOOptions{Drives: 4})
	must(t, m.MakeBucket(t.Context(), bucket))
	key, err := m.AddKey(t.Context(), anyBucket)
	must(t, err)
	move := func(from, to string) (err error) {
		for i := range 2 {
			err = errors.Join(err, os.RemoveAll(m.Drive(i)+to), os.Rename(m.Drive(i)+from, m.Drive(i)+to))
		}
		return err
	}
	secret := func(value string) func(context.Context) error {
		return func(ctx context.Context) error { return m.SetSecret(ctx, key.AccessKey, value) }
	}
	return &subject{
		kind: "s3", server: m, check: plainOrSecure("s3", "s3s", ""),
		vars: []servers.Var{
			{Name: "VICTIM_ACCESS_KEY", Value: key.AccessKey}, {Name: "VICTIM_SECRET_KEY", Value: key.SecretKey}, {Name: "VICTIM_BUCKETS", Value: bucket},
		},
		readOnly: inTurn(func(context.Context) error { return move("", ".away") }, func(ctx context.Context) error {
			if err := m.Stop(); err != nil { // running, it makes the folders anew
				return err
			}
			return errors.Join(move(".away", ""), m.Start(ctx))
		}),
		password: inTurn(secret(rand.Text()), secret(key.SecretKey)),
	}
}

func ollamaSubject(t *testing.T) *subject {
	t.Helper()
	return &subject{
		kind: "ollama", server: servers.RunOllama(t, servers.OllamaOptions{}), check: plainOrSecure("ollama", "ollamas", ""),
		authority: "SSL_CERT_FILE", // there is no variable for it
	}
}

func httpSubject(t *testing.T) *subject {
	t.Helper()
	const token = "canary"
	file := filepath.Join(t.TempDir(), "token")
	write := func(value string) func(context.Context) error {
		return func(context.Context) error { return os.WriteFile(file, []byte(value), 0o600) }
	}
	must(t, write(token)(t.Context()))
	return &subject{
		kind: "http", server: startServer(t, "http", "-token-file="+file), check: plainOrSecure("http", "https", "/health"),
		vars:     []servers.Var{{Name: "VICTIM_TOKEN", Value: token}},
		password: inTurn(write("another"), write(token)),
	}
}

// secured starts what speaks TLS in front of the server and returns its address.
func (s *subject) secured(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if s.protocol != "" {
		config.NextProtos = []string{s.protocol}
	}
	return checking.Answering(t, func(c net.Conn) {
		if s.front != nil && s.front(c) != nil {
			return
		}
		client := tls.Server(c, config)
		if client.Handshake() != nil {
			return
		}
		server, err := net.Dial("tcp", s.server.Addr())
		if err != nil {
			return
		}
		var back sync.WaitGroup
		back.Go(func() {
			_, _ = io.Copy(client, server)
			_ = c.Close()
		})
		_, _ = io.Copy(server, client)
		_ = server.Close()
		back.Wait()
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
