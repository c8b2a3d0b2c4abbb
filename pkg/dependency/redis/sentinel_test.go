package redis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// bySentinels returns a checker of the master that the Sentinels at these addresses name.
func bySentinels(t *testing.T, password string, edit func(*redis.Options), addrs ...string) *redis.Checker {
	t.Helper()
	options := redis.Options{
		Password: checking.Password(password), Timeout: 5 * time.Second,
		Sentinels: &redis.Sentinels{Addrs: addrs, Master: servers.SentinelName},
	}
	if edit != nil {
		edit(&options)
	}
	return openRedis(t, options)
}

// masterOf returns the measure.
func masterOf(seen health.Observation) string {
	i := slices.IndexFunc(seen.Values, func(v health.Value) bool { return v.Name == "master" })
	if i < 0 {
		return ""
	}
	return seen.Values[i].Text
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master, replica, sentinels := servers.RunSentinels(t, 3, servers.SentinelOptions{})
	w := checking.NewWire(t, sentinels[0].Addr())
	p := bySentinels(t, master.Password, nil, w.Addr(), sentinels[1].Addr(), sentinels[2].Addr())

	checking.OneRoundTrip(t, w, p)
	seen := checking.Declared(t, redis.Kind(), checking.Healthy(t, p))
	if got := masterOf(seen); got != master.Addr() {
		t.Fatalf("master = %q, want %s", got, master.Addr())
	}

	// The master dies.
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	seen, err := p.Check(t.Context())
	checking.Says(t, checking.WantFault(t, err, health.ReasonRefused), "the master that the Sentinels name")
	if got := masterOf(seen); got != master.Addr() {
		t.Errorf("master = %q of a check that failed, want %s", got, master.Addr())
	}
	poll.Within(t, 2*time.Minute, "the check of the new master", func() bool {
		seen, err := p.Check(t.Context())
		return err == nil && masterOf(seen) == replica.Addr()
	})
	// The old one comes back, and the Sentinels make a replica of it.
	if err := master.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen = checking.Healthy(t, p)
	if got := masterOf(seen); got != replica.Addr() {
		t.Errorf("master = %q, want %s", got, replica.Addr())
	}
}

// A failover is followed at once while the master before it still answers, and says that it
// is one.
func TestSentinelFailoverByHand(t *testing.T) {
	t.Parallel()
	master, replica, sentinels := servers.RunSentinels(t, 3, servers.SentinelOptions{})
	p := bySentinels(t, master.Password, nil, sentinels[0].Addr(), sentinels[1].Addr(), sentinels[2].Addr())
	checking.Healthy(t, p)
	if err := sentinels[0].Do(t.Context(), "SENTINEL", "FAILOVER", servers.SentinelName); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, 2*time.Minute, "the end of the failover", func() bool {
		answer, err := sentinels[0].Ask(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", servers.SentinelName)
		return err == nil && strings.Contains(fmt.Sprint(answer), strconv.Itoa(replica.Port()))
	})
	for range 2 {
		if got := masterOf(checking.Healthy(t, p)); got != replica.Addr() {
			t.Errorf("master = %q, want %s", got, replica.Addr())
		}
	}
	redisDo(t, master, "PING")
}

// With one of three Sentinels frozen or gone, checks go on; without any, the words say
// that it is the Sentinels.
func TestSentinelsLost(t *testing.T) {
	t.Parallel()
	master, _, sentinels := servers.RunSentinels(t, 3, servers.SentinelOptions{})
	addrs := []string{sentinels[0].Addr(), sentinels[1].Addr(), sentinels[2].Addr()}
	p := bySentinels(t, master.Password, nil, addrs...)
	checking.Healthy(t, p)
	if err := sentinels[0].Freeze(); err != nil {
		t.Fatal(err)
	}
	checking.Healthy(t, p)
	checking.Healthy(t, bySentinels(t, master.Password, nil, addrs...))
	if err := errors.Join(sentinels[1].Kill(), sentinels[2].Kill()); err != nil {
		t.Fatal(err)
	}
	checking.Says(t, checking.Fault(t, p, health.ReasonTimeout), "no Sentinel of REDIS_SENTINELS", "no answer")
	if err := sentinels[0].Kill(); err != nil {
		t.Fatal(err)
	}
	checking.Says(t, checking.Fault(t, p, health.ReasonRefused), "no Sentinel of REDIS_SENTINELS", "refused")
	if err := sentinels[1].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "a Sentinel that is back", func() bool { _, err := p.Check(t.Context()); return err == nil })
}

func TestSentinelLoginAndTLS(t *testing.T) {
	t.Parallel()
	const secret = "canary-sentinel"
	master, _, sentinels := servers.RunSentinels(t, 1, servers.SentinelOptions{Password: secret, TLS: true})
	trusting := func(host string) *tls.Config { return dependency.TLSConfig(master.CAFile(), host, nil) }
	login := func(password string, secure func(string) *tls.Config) func(*redis.Options) {
		return func(o *redis.Options) {
			o.Sentinels.TLS, o.Sentinels.MasterTLS = secure, secure
			if password != "" {
				o.Sentinels.Password = checking.Password(password)
			}
		}
	}
	checking.Healthy(t, bySentinels(t, master.Password, login(secret, trusting), sentinels[0].Addr()))
	for name, test := range map[string]struct {
		edit   func(*redis.Options)
		reason health.Reason
		words  string
	}{
		"no password":    {login("", trusting), health.ReasonAuth, "the Sentinel asks for a password: set REDIS_SENTINEL_PASSWORD"},
		"wrong password": {login("canary-other", trusting), health.ReasonAuth, "the Sentinel refused the login: see REDIS_SENTINEL_PASSWORD"},
		"unreadable": {func(o *redis.Options) {
			login("", trusting)(o)
			o.Sentinels.Password = func(context.Context) (string, error) { return "", errors.New("open /canary: no such file") }
		}, health.ReasonAuth, "REDIS_SENTINEL_PASSWORD_FILE"},
		"unknown master":    {func(o *redis.Options) { login(secret, trusting)(o); o.Sentinels.Master = "other" }, health.ReasonDatabaseMissing, "REDIS_SENTINEL_MASTER"},
		"unknown authority": {login(secret, func(string) *tls.Config { return dependency.TLSConfig("", "", nil) }), health.ReasonTLS, ""},
		"no TLS":            {login(secret, nil), health.ReasonTLS, "the Sentinel speaks TLS at REDIS_SENTINELS, and REDIS_TLS is off"},
		"login of Redis":    {func(o *redis.Options) { login(secret, trusting)(o); o.Password = checking.Password("canary") }, health.ReasonAuth, "see REDIS_USERNAME and REDIS_PASSWORD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := checking.Fault(t, bySentinels(t, master.Password, test.edit, sentinels[0].Addr()), test.reason)
			checking.Says(t, f, test.words)
			if strings.Contains(f.Message, "canary") {
				t.Errorf("message %q carries a secret", f.Message)
			}
		})
	}
}

// naming answers as a Sentinel does that knows the master at this address, or none.
func naming(addr string) func(net.Conn) {
	host, port, _ := net.SplitHostPort(addr)
	answer := fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
	if addr == "" {
		answer = "*-1\r\n"
	}
	return checking.Saying(answer)
}

// closed returns an address at which nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	l := checking.Listen(t)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// What a Sentinel may do wrong. Beside one that is right it does no harm.
func TestSentinelWrongServer(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	open := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, open, "CONFIG", "SET", "requirepass", "")
	right := checking.Answering(t, naming(r.Addr()))
	sentinel := func(serve func(net.Conn)) string { return checking.Answering(t, serve) }
	for name, test := range map[string]struct {
		addr   string
		reason health.Reason
		words  string
	}{
		"refused":        {closed(t), health.ReasonRefused, "no Sentinel of REDIS_SENTINELS can be asked: the connection was refused"},
		"no such host":   {"sentinel.invalid:26379", health.ReasonDNS, "no Sentinel of REDIS_SENTINELS"},
		"frozen":         {sentinel(checking.Drain), health.ReasonTimeout, "no Sentinel of REDIS_SENTINELS"},
		"closes":         {sentinel(func(net.Conn) {}), health.ReasonReset, "no Sentinel of REDIS_SENTINELS"},
		"half an answer": {sentinel(checking.Saying("*2\r\n$9\r\n127.0")), health.ReasonTimeout, "no Sentinel of REDIS_SENTINELS"},
		"a Redis":        {open.Addr(), health.ReasonProtocol, "what listens at REDIS_SENTINELS is no Sentinel"},
		"HTTP":           {sentinel(checking.Saying("HTTP/1.1 400 Bad Request\r\n\r\n")), health.ReasonProtocol, "what listens at REDIS_SENTINELS is not a Redis Sentinel"},
		"endless line":   {sentinel(func(c net.Conn) { checking.Flood(c, "+"+strings.Repeat("x", 64<<10)) }), health.ReasonProtocol, "REDIS_SENTINELS"},
		"many items":     {sentinel(checking.Saying("*1000000\r\n")), health.ReasonProtocol, "REDIS_SENTINELS"},
		"a large item":   {sentinel(checking.Saying("*2\r\n$100000000\r\n")), health.ReasonProtocol, "REDIS_SENTINELS"},
		"one item":       {sentinel(checking.Saying("*1\r\n$1\r\nx\r\n")), health.ReasonProtocol, "REDIS_SENTINELS"},
		"no port":        {sentinel(checking.Saying("*2\r\n$1\r\nx\r\n$1\r\nx\r\n")), health.ReasonProtocol, "REDIS_SENTINELS"},
		"TLS":            {sentinel(checking.ServeTLS(t)), health.ReasonTLS, "the Sentinel speaks TLS"},
		"no right":       {sentinel(checking.Saying("-NOPERM this user has no permissions\r\n")), health.ReasonForbidden, "+sentinel|get-master-addr-by-name"},
		"full":           {sentinel(checking.Saying("-ERR max number of clients reached\r\n")), health.ReasonTooManyConnections, "the Sentinel has reached"},
		"no master":      {sentinel(naming("")), health.ReasonDatabaseMissing, "the Sentinels know no master of the name in REDIS_SENTINEL_MASTER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone := bySentinels(t, r.Password, nil, test.addr)
			for range 2 {
				checking.Says(t, checking.Fault(t, alone, test.reason), test.words)
			}
			both := bySentinels(t, r.Password, nil, test.addr, right)
			checking.Healthy(t, both)
			checking.Healthy(t, both)
			// The one that says most counts, whatever the order.
			for _, addrs := range [][]string{{test.addr, closed(t)}, {closed(t), test.addr}} {
				checking.Fails(t, bySentinels(t, r.Password, nil, addrs...), moreTelling(test.reason))
			}
		})
	}
	checking.Says(t, checking.Fault(t, bySentinels(t, r.Password, func(o *redis.Options) {
		o.Sentinels.Password = checking.Password("x")
	}, sentinel(checking.Saying("-ERR AUTH <password> called without any password configured for the default user\r\n"))), health.ReasonAuth),
		"the Sentinel has no password, but REDIS_SENTINEL_PASSWORD is set")
}

// moreTelling returns the reason beside a Sentinel that refuses connections.
func moreTelling(r health.Reason) health.Reason {
	if r == health.ReasonDNS {
		return health.ReasonRefused
	}
	return r
}

// What may be wrong with the master that a Sentinel names: the words say that it is not the
// Sentinels.
func TestSentinelNamesAWrongMaster(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	replica := servers.RunRedis(t, servers.RedisOptions{ReplicaOf: r})
	for name, test := range map[string]struct {
		addr   string
		reason health.Reason
		words  string
	}{
		"refused":      {closed(t), health.ReasonRefused, "the master that the Sentinels name: the connection was refused"},
		"no such host": {"master.invalid:6379", health.ReasonDNS, "the master that the Sentinels name"},
		"frozen":       {checking.Answering(t, checking.Drain), health.ReasonTimeout, "the master that the Sentinels name"},
		"closes":       {checking.Answering(t, func(net.Conn) {}), health.ReasonReset, "the master that the Sentinels name"},
		"HTTP":         {checking.Answering(t, replying("HTTP/1.1 400 Bad Request\r\n\r\n")), health.ReasonProtocol, "at the address that the Sentinels name"},
		"loading":      {checking.Answering(t, replying("-LOADING Redis is loading the dataset in memory\r\n")), health.ReasonStartingUp, "loading"},
		"a replica":    {replica.Addr(), health.ReasonReadOnly, "the Redis that the Sentinels name as the master is a replica"},
		"a Sentinel":   {checking.Answering(t, replyingInfo("redis_mode:sentinel\r\n")), health.ReasonProtocol, "at the address that the Sentinels name is a Redis Sentinel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			password := r.Password
			if test.addr != replica.Addr() {
				password = "" // stand-ins know no AUTH
			}
			p := bySentinels(t, password, func(o *redis.Options) { o.Timeout = 2 * time.Second }, checking.Answering(t, naming(test.addr)))
			for range 2 {
				seen, err := p.Check(t.Context())
				checking.Says(t, checking.WantFault(t, err, test.reason), test.words)
				if got := masterOf(seen); got != test.addr {
					t.Errorf("master = %q, want %s", got, test.addr)
				}
			}
		})
	}
	allowed := func(o *redis.Options) { o.AllowReplica = true }
	checking.Healthy(t, bySentinels(t, r.Password, allowed, checking.Answering(t, naming(replica.Addr()))))
}

// A Sentinel that is cut off goes on naming the master that it knew. After a failure the
// next one is asked.
func TestSentinelsDisagree(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	gone, lost := checking.Answering(t, naming(closed(t))), checking.Answering(t, naming(closed(t)))
	p := bySentinels(t, r.Password, nil, gone, checking.Answering(t, naming(r.Addr())))
	checking.Fails(t, p, health.ReasonRefused)
	for range 3 {
		checking.Healthy(t, p)
	}
	neither := bySentinels(t, r.Password, nil, gone, lost)
	const differ = "the Sentinels name different masters"
	if f := checking.Fault(t, neither, health.ReasonRefused); strings.Contains(f.Message, differ) {
		t.Errorf("message %q, and one Sentinel was asked", f.Message)
	}
	for range 2 {
		checking.Says(t, checking.Fault(t, neither, health.ReasonRefused), differ)
	}
}

// One round trip to a Sentinel and one to the master.
func TestSentinelTwoRoundTrips(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	master := checking.NewWire(t, r.Addr())
	sentinel := checking.NewWire(t, checking.Answering(t, naming(master.Addr())))
	p := bySentinels(t, r.Password, nil, sentinel.Addr())
	checking.Healthy(t, p)
	for range 5 {
		before := master.Trips.Load() + sentinel.Trips.Load()
		checking.Healthy(t, p)
		if got := master.Trips.Load() + sentinel.Trips.Load() - before; got != 2 {
			t.Errorf("a check made %d round trips, want 2", got)
		}
	}
	if m, s := master.Dials.Load(), sentinel.Dials.Load(); m != 1 || s != 1 {
		t.Errorf("%d connections to the master and %d to the Sentinel, want one each", m, s)
	}
	p.Redial()
	checking.Healthy(t, p)
	if m, s := master.Dials.Load(), sentinel.Dials.Load(); m != 2 || s != 2 {
		t.Errorf("%d connections to the master and %d to the Sentinel after Redial, want two each", m, s)
	}
}

// A check that begins when its time is over is late, and no bug of its own.
func TestSentinelsNotAskedInTime(t *testing.T) {
	t.Parallel()
	p := bySentinels(t, "", nil, closed(t), closed(t))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err := p.Check(ctx)
	_ = checking.WantFault(t, err, health.ReasonTimeout)
}

func TestSentinelsLeakNothing(t *testing.T) {
	r := servers.RunRedis(t, servers.RedisOptions{})
	for name, addrs := range map[string][]string{
		"refused":      {closed(t), closed(t)},
		"frozen":       {checking.Answering(t, checking.Drain)},
		"garbage":      {checking.Answering(t, checking.Saying("garbage\r\n"))},
		"lost master":  {checking.Answering(t, naming(closed(t))), checking.Answering(t, naming(closed(t)))},
		"wrong master": {checking.Answering(t, naming(r.Addr())), closed(t)},
	} {
		t.Run(name, func(t *testing.T) {
			p := bySentinels(t, "wrong", func(o *redis.Options) { o.Timeout = 20 * time.Millisecond }, addrs...)
			checking.LeaksNothing(t, func() {
				if _, err := p.Check(t.Context()); err == nil {
					t.Fatal("Check succeeded")
				}
			})
		})
	}
}
