package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// Sentinels say which Redis is the master.
type Sentinels struct {
	// Addrs are host:port of each.
	Addrs []string
	// Master is the name by which they know the master.
	Master string
	// Password is theirs, as [Options].Password.
	Password func(context.Context) (string, error)
	// TLS and MasterTLS return the configuration for a Sentinel, and for the master, on
	// that host. Nil means no TLS.
	TLS, MasterTLS func(host string) *tls.Config
}

// secureFor returns the configuration for the server at addr, or nil.
func secureFor(configOf func(host string) *tls.Config, addr string) *tls.Config {
	if configOf == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(addr) // an error has no host
	return configOf(host)
}

// checkMaster asks a Sentinel for the master's address and checks the server there: two
// round trips. Where that server cannot be the master, the next check asks the next
// Sentinel, which may know better.
func (r *Checker) checkMaster(ctx context.Context) (health.Observation, error) {
	addr, fault := r.findMaster(ctx)
	if fault != nil {
		return health.Observation{}, fault
	}
	if addr != r.options.Addr {
		r.drop()
		r.options.Addr, r.options.TLS, r.clustered = addr, secureFor(r.options.Sentinels.MasterTLS, addr), false
	}
	seen, err := r.checkServer(ctx)
	seen.Values = append(seen.Values, health.Text("master", addr))
	fault, failed := errors.AsType[*health.Fault](err)
	if !failed || !dependency.FromNetwork(fault) && fault.Reason != health.ReasonReadOnly {
		r.named = nil
		return seen, err
	}
	r.nextSentinel()
	return seen, r.masterFault(fault)
}

// masterFault says that the fault is the master's, and where the Sentinels disagree on who
// that is.
func (r *Checker) masterFault(fault *health.Fault) *health.Fault {
	said := *fault
	if said.Message == "" {
		text, _ := (*health.Kind)(nil).Explain(said.Reason)
		said.Message = "the master that the Sentinels name: " + text.Message
	}
	if len(slices.Compact(slices.DeleteFunc(slices.Sorted(slices.Values(r.named)), func(addr string) bool { return addr == "" }))) > 1 {
		said.Message += "; the Sentinels name different masters: a failover is under way, or some of them are cut off"
	}
	return &said
}

// findMaster asks the Sentinels in turn until one answers, beginning with the one that
// answered last. Each has an equal share of the time, and so has the master.
func (r *Checker) findMaster(ctx context.Context) (string, *health.Fault) {
	s := r.options.Sentinels
	if r.named == nil {
		r.named = make([]string, len(s.Addrs))
	}
	var told *health.Fault
	for left := len(s.Addrs); left > 0 && ctx.Err() == nil; left-- {
		limited, cancel := context.WithTimeout(ctx, r.share(ctx, left+1))
		addr, fault := r.askSentinel(limited, s.Addrs[r.number])
		cancel()
		if fault == nil {
			r.named[r.number] = addr
			return addr, nil
		}
		if told == nil || dependency.FromNetwork(told) {
			told = dependency.MoreTelling(told, fault)
		}
		r.nextSentinel()
	}
	if told == nil { // there was no time to ask any
		told = dependency.NetworkFault(ctx.Err())
	}
	return "", asSentinel(told)
}

// nextSentinel gives up the connection to this one.
func (r *Checker) nextSentinel() {
	r.dropSentinel()
	r.number = (r.number + 1) % len(r.options.Sentinels.Addrs)
}

func (r *Checker) dropSentinel() {
	if r.sentinel != nil {
		_ = r.sentinel.conn.Close()
		r.sentinel = nil
	}
}

// askSentinel asks the Sentinel at addr on the connection that is open. Where there is
// none, or it has died since it was last used, it dials.
func (r *Checker) askSentinel(ctx context.Context, addr string) (master string, told *health.Fault) {
	if r.sentinel != nil {
		master, err := r.sentinel.masterAddr(ctx, r.options.Sentinels.Master)
		if !hungUp(err) {
			return master, sentinelFault(err)
		}
		r.dropSentinel()
	}
	secure := secureFor(r.options.Sentinels.TLS, addr)
	for route := r.dialer.Route(); ; {
		master, err := r.dialSentinel(ctx, route, addr, secure)
		if err == nil {
			return master, nil
		}
		r.dropSentinel()
		fault := sentinelFault(err)
		told = dependency.MoreTelling(told, fault)
		if !dependency.FromNetwork(fault) || !route.Left() || ctx.Err() != nil {
			return "", r.orTLS(ctx, told, "tcp", addr, secure)
		}
	}
}

func (r *Checker) dialSentinel(ctx context.Context, route *dial.Route, addr string, secure *tls.Config) (master string, err error) {
	conn, err := r.dial(ctx, route, "tcp", addr, secure)
	if err != nil {
		return "", err
	}
	r.sentinel = &plain{conn, bufio.NewReader(conn)}
	if r.options.Sentinels.Password != nil {
		password, err := r.options.Sentinels.Password(ctx)
		if err != nil {
			return "", unreadable("SENTINEL_PASSWORD", err)
		}
		if err := r.sentinel.login(ctx, "", password); err != nil {
			return "", err
		}
	}
	return r.sentinel.masterAddr(ctx, r.options.Sentinels.Master)
}

var errNoMaster = errors.New("the Sentinel knows no master of that name")

// masterAddr asks a Sentinel.
func (p *plain) masterAddr(ctx context.Context, name string) (string, error) {
	answer, err := p.do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
	switch {
	case err != nil:
		return "", err
	case len(answer) == 0:
		return "", errNoMaster
	case len(answer) != 2 || !config.IsHost(answer[0]) || !config.IsPort(answer[1], 1):
		return "", errNotRedis
	}
	return net.JoinHostPort(answer[0], answer[1]), nil
}

// sentinelWords make faults of a Redis those of a Sentinel.
func sentinelWords() *strings.Replacer {
	return strings.NewReplacer(
		"{USERNAME} and {PASSWORD}", "{SENTINEL_PASSWORD}", "{PASSWORD}", "{SENTINEL_PASSWORD}", "{ADDRESS}", "{SENTINELS}",
		"a Redis", "a Redis Sentinel", "Redis", "the Sentinel",
	)
}

// sentinelFault classifies what asking a Sentinel returned.
func sentinelFault(err error) *health.Fault {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoMaster):
		return &health.Fault{Reason: health.ReasonDatabaseMissing, Message: "the Sentinels know no master of the name in {SENTINEL_MASTER}", Err: err}
	case redis.HasErrorPrefix(err, "unknown command"):
		return &health.Fault{Reason: health.ReasonProtocol, Message: "what listens at {SENTINELS} is no Sentinel: name the Sentinels, not the server that they watch", Err: err}
	case redis.HasErrorPrefix(err, "NOPERM"):
		return &health.Fault{Reason: health.ReasonForbidden, Message: "the Sentinel's default user may not run SENTINEL GET-MASTER-ADDR-BY-NAME: grant +sentinel|get-master-addr-by-name", Err: err}
	}
	return faultOf(err, nil)
}

// asSentinel says that the fault is that of the Sentinels.
func asSentinel(fault *health.Fault) *health.Fault {
	said := *fault
	if said.Message == "" {
		text, _ := (*health.Kind)(nil).Explain(said.Reason)
		said.Message = "no Sentinel of {SENTINELS} can be asked: " + text.Message
		return &said
	}
	said.Message = sentinelWords().Replace(said.Message)
	return &said
}
