package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/test/servers/install"
)

// RedisOptions say how to start a Redis.
type RedisOptions struct {
	Options
	// Config holds lines of redis.conf, such as "maxmemory 2mb".
	Config []string
	// TLS lets it speak TLS, and nothing else, see [Redis.CAFile].
	TLS bool
	// Valid is when the certificate is.
	Valid Validity
	// Cluster makes it a node of a Redis Cluster, alone and with no hash slots: see
	// [RunRedisCluster].
	Cluster bool
	// ReplicaOf makes it a replica of another one, with the same password and certificate.
	ReplicaOf *Redis
}

// Redis is an empty Redis that keeps nothing on disk.
type Redis struct {
	*Process
	// Password is the default user's.
	Password string
	options  RedisOptions
	certs    certFiles
	bus      int // port of the nodes of a Redis Cluster among themselves
	busPort  io.Closer
}

// NewRedis prepares a Redis.
func NewRedis(o RedisOptions) (*Redis, error) {
	p, err := newProcess("redis", o.Options)
	if err != nil {
		return nil, err
	}
	r := &Redis{Process: p, options: o}
	if r.Password, err = secret(r.dir, "password"); err != nil {
		return nil, fmt.Errorf("set up redis: %w", err)
	}
	if o.ReplicaOf != nil {
		r.Password = o.ReplicaOf.Password
	}
	switch {
	case o.TLS && o.ReplicaOf != nil:
		r.certs = o.ReplicaOf.certs
	case o.TLS:
		if r.certs, err = writeCertificate(filepath.Join(r.dir, "tls"), o.Valid); err != nil {
			return nil, fmt.Errorf("set up redis: %w", err)
		}
	}
	if o.Cluster {
		if r.bus, r.busPort, err = reservePort(r.Host()); err != nil {
			return nil, fmt.Errorf("set up redis: %w", err)
		}
	}
	r.prepare, r.ready = r.configure, r.ping
	return r, nil
}

// Close stops the server for good and gives its ports back.
func (r *Redis) Close() error {
	err := r.Process.Close()
	if r.busPort != nil {
		err = errors.Join(err, r.busPort.Close())
	}
	return err
}

// configure installs Redis and writes its configuration: to a file, since the
// arguments of a process are no secret.
func (r *Redis) configure(ctx context.Context) error {
	if err := install.Packages(ctx, r.progress(), "redis-server"); err != nil {
		return err
	}
	var err error
	if r.path, err = exec.LookPath("redis-server"); err != nil {
		return err
	}
	lines := []string{
		"bind " + r.Host(),
		"dir " + r.dir,
		`save ""`,
		"requirepass " + r.Password,
		"masterauth " + r.Password,   // for when it is a replica
		"enable-debug-command local", // DEBUG SLEEP and its kin, for fault tests
	}
	if r.CAFile() != "" {
		lines = append(lines, "port 0", fmt.Sprintf("tls-port %d", r.port), "tls-auth-clients no", "tls-replication yes",
			"tls-ca-cert-file "+r.certs.CA, "tls-cert-file "+r.certs.Cert, "tls-key-file "+r.certs.Key)
	} else {
		lines = append(lines, fmt.Sprintf("port %d", r.port))
	}
	if r.bus != 0 {
		lines = append(lines, "cluster-enabled yes", fmt.Sprintf("cluster-port %d", r.bus), "cluster-node-timeout 1000")
	}
	if master := r.options.ReplicaOf; master != nil {
		lines = append(lines, fmt.Sprintf("replicaof %s %d", master.Host(), master.Port()), "repl-diskless-sync-delay 0")
	}
	lines = append(lines, r.options.Config...)
	conf := filepath.Join(r.dir, "redis.conf")
	r.args = []string{conf}
	return r.writeFile(conf, strings.Join(lines, "\n")+"\n")
}

// Endpoint returns the server's address without the password.
func (r *Redis) Endpoint() string {
	if r.CAFile() != "" {
		return "rediss://" + r.Addr()
	}
	return "redis://" + r.Addr()
}

// CAFile returns the path of the certificate authority to trust, or nothing
// without [RedisOptions].TLS.
func (r *Redis) CAFile() string { return r.certs.CA }

// ping takes any of Redis's own answers for ready: with options such as an ACL
// file or a master, an error may be all that the password gets.
func (r *Redis) ping(ctx context.Context) error {
	if err := dial(ctx, r.Addr()); err != nil {
		return err // go-redis would print it
	}
	err := r.Do(ctx, "PING")
	if redis.IsAuthError(err) {
		return nil
	}
	return err
}

// Do runs one command as the default user, over a connection of its own.
func (r *Redis) Do(ctx context.Context, args ...any) error {
	_, err := r.Ask(ctx, args...)
	return err
}

// Ask does the same and returns the answer.
func (r *Redis) Ask(ctx context.Context, args ...any) (any, error) {
	return ask(ctx, r.Process, r.Password, r.certs, args...)
}

func ask(ctx context.Context, p *Process, password string, certs certFiles, args ...any) (any, error) {
	o := &redis.Options{
		Addr: p.Addr(), Password: password, Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
	}
	if certs.CA != "" {
		var err error
		if o.TLSConfig, err = trust(certs); err != nil {
			return nil, err
		}
	}
	client := redis.NewClient(o)
	defer client.Close()
	answer, err := client.Do(ctx, args...).Result()
	if err != nil {
		return nil, fmt.Errorf("run %v on %s: %w", args[0], p.name, err)
	}
	return answer, nil
}

// joinCluster makes a Redis Cluster of nodes that share the hash slots evenly, and returns
// when each of them says that it is up.
func joinCluster(ctx context.Context, nodes []*Redis) error {
	const slots = 16384
	for i, node := range nodes {
		if err := node.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", slots*i/len(nodes), slots*(i+1)/len(nodes)-1); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if err := node.Do(ctx, "CLUSTER", "MEET", nodes[0].Host(), nodes[0].Port(), nodes[0].bus); err != nil {
			return err
		}
	}
	return settle(ctx, "a Redis Cluster that is up", func() string {
		for _, node := range nodes {
			if text := fmt.Sprint(node.Ask(ctx, "CLUSTER", "INFO")); !strings.Contains(text, "cluster_state:ok") {
				return text
			}
		}
		return ""
	})
}

// Env returns the variables by which the product reaches this server.
func (r *Redis) Env() []Var {
	vars := []Var{
		{"REDIS_HOST", r.Host()},
		{"REDIS_PORT", strconv.Itoa(r.Port())},
		{"REDIS_PASSWORD", r.Password},
	}
	if r.CAFile() != "" {
		vars = append(vars, Var{"REDIS_TLS", "true"}, Var{"REDIS_CA_FILE", r.CAFile()})
	}
	return vars
}
