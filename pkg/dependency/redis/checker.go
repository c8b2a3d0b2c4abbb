package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
)

// Options says which Redis to ask, and how.
type Options struct {
	// Addr is host:port, or the path of a Unix socket.
	Addr string
	// Username is the ACL user; empty means the default user.
	Username string
	// Password is called at each dial, so that a rotated one needs no restart. Its
	// error fails the check with [health.ReasonAuth]. Nil means no password.
	Password func(context.Context) (string, error)
	DB       int
	// TLS is used as it is but for ServerName, which defaults to Addr's host. Nil
	// means no TLS.
	TLS *tls.Config
	// AllowReplica makes a replica as good as a master.
	AllowReplica bool
	// Timeout bounds a check, dialling included.
	Timeout time.Duration
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
	// Words are pairs for a [strings.Replacer]: what messages say of variables, and what
	// they are to say, before names are expanded. The default is those of the service redis.
	Words []string
	// Sentinels, where there are any, say what counts in the place of Addr and TLS.
	Sentinels *Sentinels
	// Idle watches the connection between two checks. The default, nil, is that nothing does.
	Idle *idle.Watch
	// Lookup resolves the host of Addr. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks a Redis server: PING and INFO in one round trip, with CLUSTER INFO where
// INFO has said that it is a node of a Redis Cluster, on one connection that is dialled
// afresh after every failure and on Redial. PING decides; where INFO is
// refused or not known, its figures are absent.
type Checker struct {
	dependency.Redialer
	options Options
	words   *strings.Replacer
	dialer  *dial.Dialer
	// route leads the client, or those of one check, through the host's addresses.
	route *dial.Route

	// client holds one connection and is thrown away with it. That keeps go-redis
	// from its own ideas about a server that is down: a goroutine that goes on
	// dialling, and the last dial's error instead of this one's.
	client *redis.Client
	// ready is when the connection could be asked: later than the start of the check
	// if that had to dial.
	ready time.Time
	// greeting is how the server refused the connection's first command. go-redis
	// swallows that, goes on, and reports that the connection was closed.
	greeting error
	// dialled is the connection that client has made last, TLS included; it holds nil before.
	// It belongs to the client, which may still be dialling when the check is over.
	dialled *atomic.Pointer[boundedConn]
	// minReplicas is Redis's min-replicas-to-write, asked for once per connection;
	// -1 before that.
	minReplicas int64
	// clustered is what INFO last said: whether the server is a node of a Redis Cluster.
	clustered bool
	// sections is whether INFO may ask for some of its sections, and whole whether a server that should
	// take that has refused it.
	sections, whole bool
	// plain is used instead of client while a server hangs up on HELLO or INFO.
	plain *plain

	// sentinel is the connection to one of the Sentinels, the one of that number. It is
	// kept as long as client.
	sentinel *plain
	number   int
	// named is what each Sentinel said last since a check found a master.
	named []string
}

var (
	_ health.Checker  = (*Checker)(nil)
	_ health.Redialer = (*Checker)(nil)
)

// New returns a checker of the Redis at options.Addr. It does not connect.
func New(options Options) *Checker {
	// go-redis writes raw dial errors to stderr and has no logger but this one, a
	// variable of its package. All that it says is also in the errors it returns.
	logging.Disable()
	words := options.Words
	if words == nil {
		words = serviceWords()
	}
	if options.Sentinels != nil {
		words = append([]string{"{ADDRESS}", "the address that the Sentinels name"}, words...) // the first counts
	}
	return &Checker{options: options, words: strings.NewReplacer(words...), dialer: &dial.Dialer{Lookup: options.Lookup, Timeout: options.Timeout}}
}

// Check implements [health.Checker].
func (r *Checker) Check(ctx context.Context) (health.Observation, error) {
	r.options.Idle.Stop()
	seen, err := r.check(ctx)
	r.watch()
	seen.Values = append(seen.Values, health.Text("endpoint", r.endpoint()))
	return r.options.Prefix.Explain(seen, reword(err, r.words))
}

// watch watches the connection that the next check is to use.
func (r *Checker) watch() {
	switch {
	case r.plain != nil:
		r.options.Idle.Add(r.plain.conn)
	case r.client != nil:
		if conn := r.dialled.Load(); conn != nil {
			r.options.Idle.Add(conn)
		}
	}
}

// endpoint returns where Redis is: its address, or those of the Sentinels that know it.
func (r *Checker) endpoint() string {
	if s := r.options.Sentinels; s != nil {
		return strings.Join(s.Addrs, ",") + "/" + s.Master
	}
	return r.options.Addr
}

func (r *Checker) check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()

	if r.Expired() {
		r.drop()
		r.dropSentinel()
	}
	if r.options.Sentinels != nil {
		return r.checkMaster(ctx)
	}
	return r.checkServer(ctx)
}

// checkServer checks what is at the address of the options.
func (r *Checker) checkServer(ctx context.Context) (health.Observation, error) {
	reply, fault := r.askAny(ctx)
	if fault != nil {
		r.drop()
		return health.Observation{}, r.orTLS(ctx, fault, r.network(), r.options.Addr, r.options.TLS)
	}
	return r.judge(reply)
}

// orTLS returns another fault where the first one came from speaking without TLS to a
// server that speaks TLS.
func (r *Checker) orTLS(ctx context.Context, fault *health.Fault, network, addr string, secure *tls.Config) *health.Fault {
	if secure == nil && dependency.WantsTLS(ctx, r.dialer, fault, network, addr, r.options.Timeout/4) {
		return &health.Fault{Reason: health.ReasonTLS, Message: "Redis speaks TLS at {ADDRESS}, and {TLS_IS_OFF}", Err: fault.Err}
	}
	return fault
}

// askAny asks on the connection that is open. Where there is none, or it has died
// since it was last used, it asks on a fresh one, and on one to another address of the
// host after a failure of the network.
func (r *Checker) askAny(ctx context.Context) (reply, *health.Fault) {
	if r.client != nil || r.plain != nil {
		answer, err := r.ask(ctx)
		switch {
		case err == nil:
			return answer, nil
		case !hungUp(err):
			return reply{}, r.fault(err)
		}
		r.drop()
	}
	r.route = r.dialer.Route()
	var told *health.Fault
	for {
		answer, err := r.ask(ctx)
		if hungUp(err) && r.dialled.Load() != nil && repliedFault(r.greeting) == nil {
			r.drop()
			if plain, why := r.askPlainly(ctx); why == nil || hasReply(why) {
				answer, err = plain, why
			}
		}
		if err == nil {
			return answer, nil
		}
		fault := r.fault(err)
		told = dependency.MoreTelling(told, fault)
		if !dependency.FromNetwork(fault) || !r.route.Left() || ctx.Err() != nil {
			return reply{}, told
		}
		r.drop()
	}
}

// Close gives up the connection. It must not run beside Check.
func (r *Checker) Close() error {
	r.options.Idle.Stop()
	r.drop()
	r.dropSentinel()
	return nil
}

// drop has no error to report: the connection is of no use any more.
func (r *Checker) drop() {
	if r.client != nil {
		_ = r.client.Close()
		r.client, r.sections = nil, false
	}
	if r.plain != nil {
		_ = r.plain.conn.Close()
		r.plain = nil
	}
}

// hungUp reports whether err may only mean that the connection had died since it
// was last used.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

type reply struct {
	info        *info // nil if INFO was not answered
	cluster     *info // what CLUSTER INFO said; nil if it was not asked for or not answered
	minReplicas int64
	latency     time.Duration
	notes       []string
}

const (
	noteNoInfo        = "Redis, or a proxy before it, does not answer INFO: its figures and its role are unknown"
	noteNoCluster     = "Redis does not answer CLUSTER INFO: whether the Redis Cluster is down is unknown; grant +cluster|info"
	noteNoMinReplicas = "Redis does not answer CONFIG GET: whether it has as many replicas as min-replicas-to-write asks for is unknown"
)

// ask sends PING and INFO at once, and CLUSTER INFO with them to what was a node of a
// Redis Cluster before. INFO alone would do for the figures, but it is answered where
// PING is refused: while loading, and when writes are refused.
func (r *Checker) ask(ctx context.Context) (reply, error) {
	if r.plain != nil {
		return r.askPlainly(ctx)
	}
	if r.client == nil {
		r.client, r.minReplicas = r.connect(), -1
	}
	r.ready, r.greeting = time.Now(), nil

	pipe := r.client.Pipeline()
	ping, info := pipe.Ping(ctx), r.info(ctx)
	_ = pipe.Process(ctx, info) // only queues it
	var cluster *redis.StringCmd
	if r.clustered {
		cluster = pipe.ClusterInfo(ctx)
	}
	_, err := pipe.Exec(ctx)
	reply := reply{latency: time.Since(r.ready)}
	if r.sections && ping.Err() == nil && hasReply(info.Err()) && !tellsOfRedis(info.Err()) {
		r.sections, r.whole = false, true
		info = r.client.Info(ctx)
	}
	switch {
	case ping.Err() != nil:
		return reply, ping.Err()
	case ping.Val() == "" && err != nil: // before PING was sent
		return reply, err
	case ping.Val() != "PONG":
		return reply, errNotRedis
	case tellsOfRedis(info.Err()):
		return reply, info.Err()
	case hasReply(info.Err()), info.Err() == nil && info.Val() == "":
		reply.notes = []string{noteNoInfo}
		return reply, nil
	case info.Err() != nil:
		return reply, info.Err()
	}
	if reply.info, err = parseInfo(info.Val()); err != nil {
		return reply, err
	}
	r.sections = !r.whole && reply.info.takesSections()
	if err := r.askCluster(ctx, &reply, cluster); err != nil {
		return reply, err
	}
	return reply, r.askMinReplicas(ctx, &reply)
}

// info asks for the sections that are used, once the server has said that it knows how to, and else for all.
func (r *Checker) info(ctx context.Context) *redis.StringCmd {
	if !r.sections {
		return redis.NewStringCmd(ctx, "info")
	}
	return redis.NewStringCmd(ctx, "info", "server", "clients", "memory", "stats", "replication", "cluster", "keyspace")
}

// askCluster takes the answer to CLUSTER INFO from a node of a Redis Cluster. Where that
// was not known before, it asks now.
func (r *Checker) askCluster(ctx context.Context, reply *reply, answer *redis.StringCmd) error {
	r.clustered = reply.info.lines["cluster_enabled"] == "1"
	if !r.clustered {
		return nil
	}
	if answer == nil {
		answer = r.client.ClusterInfo(ctx)
	}
	text, err := answer.Result()
	switch {
	case err == nil:
		reply.cluster, err = parseInfo(text)
	case hasReply(err) && !tellsOfRedis(err):
		reply.notes, err = append(reply.notes, noteNoCluster), nil
	}
	return err
}

// askMinReplicas asks how many replicas Redis wants before it accepts writes, once
// per connection, where INFO tells that it has some and counts them.
func (r *Checker) askMinReplicas(ctx context.Context, reply *reply) error {
	if good, counted := reply.info.goodReplicas(); !counted || good == 0 {
		return nil
	}
	if r.minReplicas < 0 {
		settings, err := r.client.ConfigGet(ctx, "min-*-to-write").Result() // once min-slaves-to-write
		if err != nil && !hasReply(err) {
			return err
		}
		r.minReplicas = 0
		for _, value := range settings {
			n, _ := strconv.ParseInt(value, 10, 64)
			r.minReplicas = max(r.minReplicas, n)
		}
	}
	if reply.minReplicas = r.minReplicas; r.minReplicas == 0 {
		reply.notes = append(reply.notes, noteNoMinReplicas)
	}
	return nil
}

func (r *Checker) connect() *redis.Client {
	route, secure := r.route, r.options.TLS // go-redis may still be dialling when the check is over
	dialled := new(atomic.Pointer[boundedConn])
	r.dialled = dialled
	client := redis.NewClient(&redis.Options{
		Network: r.network(),
		Addr:    r.options.Addr,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := r.dial(ctx, route, network, addr, secure)
			if err != nil {
				return nil, err
			}
			dialled.Store(conn)
			return conn, nil
		},
		OnConnect:                  func(context.Context, *redis.Conn) error { r.ready = time.Now(); return nil },
		Protocol:                   2, // nothing here needs RESP3 and its pushes
		CredentialsProviderContext: r.credentials,
		DB:                         r.options.DB,
		MaxRetries:                 -1,
		DialTimeout:                r.options.Timeout,
		DialerRetries:              1,
		ReadTimeout:                r.options.Timeout,
		WriteTimeout:               r.options.Timeout,
		ContextTimeoutEnabled:      true,
		ReadBufferSize:             8 << 10,
		WriteBufferSize:            1 << 10,
		PipelinePoolSize:           -1,
		// One is in use. A pool of one would go on dialling in the background after
		// its first failure.
		PoolSize:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	client.AddHook(greetingHook{&r.greeting})
	return client
}

func (r *Checker) credentials(ctx context.Context) (username, password string, err error) {
	if r.options.Password == nil {
		return r.options.Username, "", nil
	}
	password, err = r.options.Password(ctx)
	if err != nil {
		return "", "", unreadable("PASSWORD", err)
	}
	return r.options.Username, password, nil
}

// unreadable is the fault of a secret whose file cannot be read.
func unreadable(variable string, err error) *health.Fault {
	return &health.Fault{
		Reason:  health.ReasonAuth,
		Message: "{" + variable + "} cannot be read: see the file that {" + variable + "_FILE} names",
		Err:     err,
	}
}

// greetingHook keeps the error of a connection's first command.
type greetingHook struct{ err *error }

// DialHook implements [redis.Hook].
func (greetingHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (greetingHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (h greetingHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "hello" {
			*h.err = err
		}
		return err
	}
}
