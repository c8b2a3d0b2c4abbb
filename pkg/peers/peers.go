package peers

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const (
	// roundPeriod is the time between the starts of two rounds of requests
	// while a strict service fails. While only other services fail, it is their
	// interval, since their scope is only shown.
	roundPeriod = time.Second
	// idlePeriod is the time between two requests while no service fails. They find a blocked
	// connection before it is needed.
	idlePeriod = time.Minute
)

// Path is the path at which a sidecar answers its peers.
const Path = "/health/peer"

// NewInstance returns a random name that identifies a process among its peers.
func NewInstance() string { return rand.Text() }

// Options are the options of [New]. All except TLS, Self and Transport are required.
type Options struct {
	// Names is one name that DNS resolves to all Pods of the workload, ready or not, or a
	// list of two addresses or more.
	Names []string
	// Port is the port of the peers, for names without one.
	Port string
	// Self is the address of this Pod. Only peers of its IP family are asked. If it is invalid, this
	// process recognizes itself by its answer.
	Self netip.Addr
	// Instance is the name of this process, as its [Handler] has it.
	Instance string
	// Sample is the number of peers per round, Timeout that of one round.
	Sample  int
	Timeout time.Duration
	// TLS, if set, is the configuration for HTTPS. The default is HTTP.
	TLS *tls.Config
	// Resolver looks up the name.
	Resolver Resolver
	// Transport sends the requests. The default opens a connection for each.
	Transport http.RoundTripper

	Monitor *health.Monitor
	// Updates has the current view and every new one.
	Updates <-chan *health.View
	Log     *slog.Logger
}

// Peers asks the peers of this Pod. Except for the counts, its fields belong to the goroutine
// that runs Start.
type Peers struct {
	options       Options
	directory     *directory
	client        *http.Client
	scheme        string
	faults        map[string]*fault // of the failing services, by name
	lastRound     time.Time         // when the latest round ended
	silentRounds  int               // rounds in a row without any answer
	silenceLogged bool              // this was logged
	lookupFailed  bool              // the latest lookup failed, and that was logged
	counts        atomic.Pointer[Counts]
}

// fault is the current fault of a service.
type fault struct {
	ledger *Ledger
	checks uint64        // number of our own results at the latest decision
	period time.Duration // between two rounds of requests
}

// Counts has the number of peers, of those that the latest round asked, and of those that
// answered.
type Counts struct{ Known, Asked, Answered int }

// New returns a Peers. It sends no request before Start.
func New(o Options) *Peers {
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	if o.Transport == nil {
		transport := &http.Transport{
			// A new connection for each request: an old one could hide a broken network,
			// and a large fleet would cost many idle ones.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			TLSClientConfig:        o.TLS,
			MaxResponseHeaderBytes: 8 << 10,
			Protocols:              new(http.Protocols), // HTTP/1 alone: one answer per connection
		}
		transport.Protocols.SetHTTP1(true)
		o.Transport = transport
	}
	p := &Peers{
		options: o, directory: newDirectory(o), scheme: scheme,
		client: &http.Client{
			Transport:     o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		faults: make(map[string]*fault),
	}
	p.counts.Store(&Counts{Known: p.directory.fleet(time.Now()).Peers})
	return p
}

// Counts returns the current counts. It does not block.
func (p *Peers) Counts() Counts { return *p.counts.Load() }

// reply is the result of one request.
type reply struct {
	address       string
	sent, arrived time.Time
	answer        answer
	err           error
}

// lookupResult is the result of a lookup.
type lookupResult struct {
	addresses []string
	err       error
}

// Start asks and decides until ctx is done. It waits for requests and lookups in flight.
func (p *Peers) Start(ctx context.Context) error {
	var calls sync.WaitGroup // at most one round and one lookup
	defer calls.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rounds, lookups := make(chan []reply, 1), make(chan lookupResult, 1)
	var roundRunning, lookupRunning bool
	var asked time.Time // when the latest round began
	round, lookup := time.NewTimer(0), time.NewTimer(0)
	defer round.Stop()
	defer lookup.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-p.options.Updates:
			if p.observe(v) && !roundRunning { // a fault began
				round.Reset(0)
			}
			if len(p.faults) > 0 && !lookupRunning {
				lookup.Reset(max(0, lookupPeriod-time.Since(p.directory.tried)))
			}
		case <-round.C:
			asked, roundRunning = time.Now(), true
			addresses := p.next()
			calls.Go(func() { rounds <- p.ask(ctx, addresses) })
		case replies := <-rounds:
			if ctx.Err() != nil { // the requests were cancelled
				return nil
			}
			roundRunning = false
			p.recordAnswers(replies)
			p.decide()
			round.Reset(max(0, p.roundPeriod()-time.Since(asked)))
		case <-lookup.C:
			if p.directory.fixed() {
				continue
			}
			lookupRunning, p.directory.tried = true, time.Now()
			calls.Go(func() {
				addresses, err := p.directory.find(ctx)
				lookups <- lookupResult{addresses, err}
			})
		case l := <-lookups:
			if ctx.Err() != nil {
				return nil
			}
			lookupRunning = false
			first := p.directory.at.IsZero()
			p.recordLookup(l)
			lookup.Reset(p.lookupPeriod())
			if first && l.err == nil && !roundRunning {
				round.Reset(0)
			}
		}
	}
}

// roundPeriod returns the time between the starts of two rounds.
func (p *Peers) roundPeriod() time.Duration {
	period := time.Duration((0.9 + 0.2*mathrand.Float64()) * float64(idlePeriod))
	for _, f := range p.faults {
		period = min(period, f.period)
	}
	return period
}

// lookupPeriod returns the time from the end of a lookup to the start of the next.
func (p *Peers) lookupPeriod() time.Duration {
	if len(p.faults) > 0 || p.lookupFailed {
		return lookupPeriod
	}
	return idlePeriod
}

// observe handles a new view, and reports whether a fault began.
func (p *Peers) observe(v *health.View) (began bool) {
	for _, r := range v.Results() {
		name := r.Service.Name
		f := p.faults[name]
		switch {
		case r.Service.SharedFault == "":
		case r.FailingSince().IsZero():
			delete(p.faults, name)
		case f == nil || !f.ledger.Fits(r):
			p.faults[name] = newFault(r)
			began = true
		case f.checks != r.Checks: // the decision may wait for a check of our own
			p.decideOn(r)
		}
	}
	return began
}

func newFault(r health.Result) *fault {
	f := &fault{ledger: NewLedger(r), checks: r.Checks, period: roundPeriod}
	if r.Service.Readiness != health.PolicyStrict {
		f.period = max(r.Service.Interval, roundPeriod)
	}
	return f
}

// next returns the peers to ask now.
func (p *Peers) next() []string {
	n := 1
	if len(p.faults) > 0 {
		n = p.options.Sample
	}
	return p.directory.next(n)
}

// ask sends a request to each address, and returns after all have been answered or have
// timed out.
func (p *Peers) ask(ctx context.Context, addresses []string) []reply {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	replies := make([]reply, len(addresses))
	var questions sync.WaitGroup
	for i, a := range addresses {
		questions.Go(func() {
			r := reply{address: a, sent: time.Now()}
			r.answer, r.err = p.askOne(ctx, a)
			r.arrived = time.Now()
			replies[i] = r
		})
	}
	questions.Wait()
	return replies
}

func (p *Peers) askOne(ctx context.Context, address string) (answer, error) {
	url := p.scheme + "://" + address + Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("User-Agent", "reims-health peers")
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("ask %s: status %d", url, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	if len(body) > maxAnswer {
		return answer{}, fmt.Errorf("ask %s: an answer of more than %d bytes", url, maxAnswer)
	}
	a, err := decode(body)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	return a, nil
}

// recordAnswers records the results of a round.
func (p *Peers) recordAnswers(replies []reply) {
	var asked, answered int
	var failed error
	for _, r := range replies {
		if r.err == nil && r.answer.instance == p.options.Instance {
			p.directory.markSelf(r.address)
			for _, f := range p.faults {
				f.ledger.forget(r.address)
			}
			continue
		}
		if r.err != nil && p.directory.isComplete() && !p.directory.contains(r.address) {
			continue // the Pod has gone
		}
		asked++
		for _, f := range p.faults {
			f.ledger.asked(r.address, r.sent)
		}
		if r.err != nil {
			failed = r.err
			continue
		}
		answered++
		for name, f := range p.faults {
			f.ledger.answered(r.address, r.answer.services[name], r.sent, r.arrived)
		}
	}
	p.lastRound = time.Now()
	p.counts.Store(&Counts{Known: p.known(), Asked: asked, Answered: answered})
	p.silentRounds++
	if asked == 0 || answered > 0 {
		p.silentRounds = 0
	}
	switch {
	case p.silentRounds > 0 && !p.silenceLogged && (p.silentRounds > 1 || asked > 1): // a single peer may be restarting
		p.options.Log.Warn("no peer answers: a shared fault could not be distinguished from a local one", "asked", asked, "error", failed)
		p.silenceLogged = true
	case answered > 0 && p.silenceLogged:
		p.options.Log.Info("peers answer again", "answered", answered)
		p.silenceLogged = false
	}
}

// known returns the number of peers. While there is no good list, it is the latest known
// number, since delays that protect the API server depend on it.
func (p *Peers) known() int {
	fleet := p.directory.fleet(time.Now())
	if fleet.Peers == 0 && p.lookupFailed {
		return p.Counts().Known
	}
	return fleet.Peers
}

// recordLookup records the result of a lookup. If it failed, the last good list is used
// for a time.
func (p *Peers) recordLookup(l lookupResult) {
	if l.err == nil {
		l.err = p.directory.setList(l.addresses, time.Now())
	}
	if l.err == nil {
		for _, f := range p.faults {
			if p.directory.isComplete() {
				f.ledger.retain(p.directory.listed)
			}
		}
	}
	counts := p.Counts()
	counts.Known = p.known()
	p.counts.Store(&counts)
	switch {
	case l.err != nil && !p.lookupFailed:
		p.options.Log.Warn("the lookup of the peers' name fails: the last list is used for at most 5 minutes", "known", counts.Known, "error", l.err)
	case l.err == nil && p.lookupFailed:
		p.options.Log.Info("the lookup of the peers' name works again", "known", counts.Known)
	}
	p.lookupFailed = l.err != nil
}

// decide decides on every fault.
func (p *Peers) decide() {
	for _, r := range p.options.Monitor.View().Results() {
		if f := p.faults[r.Service.Name]; f != nil && f.ledger.Fits(r) {
			p.decideOn(r)
		}
	}
}

// decideOn reports the scope of a service's fault to the monitor. It decides nothing before
// the first round about the fault has ended.
func (p *Peers) decideOn(mine health.Result) {
	f, now := p.faults[mine.Service.Name], time.Now()
	f.checks = mine.Checks
	if p.lastRound.Before(f.ledger.began) {
		return
	}
	d := Decide(mine, f.ledger, p.directory.fleet(now), now)
	f.ledger.prune(now)
	d.At = p.lastRound
	p.options.Monitor.Found(mine.Service.Name, d.Finding)
	if d.NeedsCheck {
		p.options.Monitor.CheckSoon(mine.Service.Name)
	}
}
