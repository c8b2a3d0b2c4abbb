package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers/install"
)

// SentinelName is the name by which Sentinels know their master.
const SentinelName = "mymaster"

// SentinelOptions say how to start a Redis Sentinel.
type SentinelOptions struct {
	Options
	// Master is the Redis that it watches under [SentinelName].
	Master *Redis
	// Quorum is how many Sentinels it takes to agree that the master is down.
	Quorum int
	// Password is the default user's; empty for none.
	Password string
	// TLS lets it speak TLS, to the Redis as well, with the master's certificate.
	TLS bool
}

// Sentinel is a Redis Sentinel. It keeps what it learns over restarts.
type Sentinel struct {
	*Process
	options SentinelOptions
}

// NewSentinel prepares a Sentinel.
func NewSentinel(o SentinelOptions) (*Sentinel, error) {
	p, err := newProcess("sentinel", o.Options)
	if err != nil {
		return nil, err
	}
	s := &Sentinel{Process: p, options: o}
	s.prepare, s.ready = s.configure, s.ping
	return s, nil
}

// configure writes the file that the Sentinel itself writes to from then on.
func (s *Sentinel) configure(ctx context.Context) error {
	if err := install.Packages(ctx, s.progress(), "redis-server"); err != nil {
		return err
	}
	var err error
	if s.path, err = exec.LookPath("redis-server"); err != nil {
		return err
	}
	conf, master := filepath.Join(s.dir, "sentinel.conf"), s.options.Master
	s.args = []string{conf, "--sentinel"}
	if _, err := os.Stat(conf); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	port := fmt.Sprintf("port %d", s.port)
	if s.options.TLS {
		port = fmt.Sprintf("port 0\ntls-port %d\ntls-auth-clients no\ntls-replication yes\ntls-ca-cert-file %s\ntls-cert-file %s\ntls-key-file %s",
			s.port, master.certs.CA, master.certs.Cert, master.certs.Key)
	}
	lines := []string{
		"bind " + s.Host(), "dir " + s.dir, port,
		fmt.Sprintf("sentinel monitor %s %s %d %d", SentinelName, master.Host(), master.Port(), s.options.Quorum),
		"sentinel auth-pass " + SentinelName + " " + master.Password,
		"sentinel down-after-milliseconds " + SentinelName + " 2000",
		"sentinel failover-timeout " + SentinelName + " 3000",
	}
	if s.options.Password != "" {
		lines = append(lines, "requirepass "+s.options.Password)
	}
	return s.writeFile(conf, strings.Join(lines, "\n")+"\n")
}

func (s *Sentinel) ping(ctx context.Context) error {
	if err := dial(ctx, s.Addr()); err != nil {
		return err // go-redis would print it
	}
	return s.Do(ctx, "PING")
}

// Endpoint returns the address.
func (s *Sentinel) Endpoint() string { return "redis+sentinel://" + s.Addr() + "/" + SentinelName }

// Do runs one command, over a connection of its own.
func (s *Sentinel) Do(ctx context.Context, args ...any) error {
	_, err := s.Ask(ctx, args...)
	return err
}

// Ask does the same and returns the answer.
func (s *Sentinel) Ask(ctx context.Context, args ...any) (any, error) {
	var certs certFiles
	if s.options.TLS {
		certs = s.options.Master.certs
	}
	return ask(ctx, s.Process, s.options.Password, certs, args...)
}

// Env returns nothing: the variables name all Sentinels.
func (s *Sentinel) Env() []Var { return nil }

// follows returns when the replica has its master's data.
func follows(ctx context.Context, replica *Redis) error {
	return settle(ctx, "a replica that follows its master", func() string {
		text := fmt.Sprint(replica.Ask(ctx, "INFO", "replication"))
		if strings.Contains(text, "master_link_status:up") {
			return ""
		}
		return text
	})
}

// acquainted returns when each Sentinel knows the others and the replica.
func acquainted(ctx context.Context, sentinels []*Sentinel) error {
	return settle(ctx, "Sentinels that know one another and the replica", func() string {
		for _, s := range sentinels {
			others, err := s.Ask(ctx, "SENTINEL", "SENTINELS", SentinelName)
			if list, ok := others.([]any); err != nil || !ok || len(list) != len(sentinels)-1 {
				return fmt.Sprint(s.Addr(), " knows ", others, err)
			}
			replicas := fmt.Sprint(s.Ask(ctx, "SENTINEL", "REPLICAS", SentinelName))
			if !strings.Contains(replicas, " flags slave ") || !strings.Contains(replicas, "master-link-status ok") {
				return fmt.Sprint(s.Addr(), " knows ", replicas)
			}
		}
		return ""
	})
}

// settle waits until nothing is missing.
func settle(ctx context.Context, what string, missing func() string) error {
	var last string
	if poll.Poll(ctx, startTimeout, func() bool { last = missing(); return last == "" }) {
		return nil
	}
	return fmt.Errorf("wait for %s: %s", what, last)
}
