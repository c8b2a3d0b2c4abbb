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
	// roundPeriod is from the start of one round of questions to the start of the next,
	// while a service fails that readiness depends on. While only others fail it is their
	// interval, since nothing hangs on the answers but what is shown.
	roundPeriod = time.Second
	// calmPeriod is how often one peer is asked while all is well, so that a way that is
	// blocked is found before it is needed.
	calmPeriod = time.Minute
)

// Path is where a sidecar answers its peers.
const Path = "/health/peer"

// NewInstance returns a random name for a process, which tells it from its peers.
func NewInstance() string { return rand.Text() }

// Options are what [New] needs. All but TLS, Self and Transport are required.
type Options struct {
	// Names is one name that DNS resolves to all Pods of the workload, ready or not, or a
	// list of two addresses or more.
	Names []string
	// Port is where the peers answer, for a name that has none.
	Port string
	// Self is the address of this Pod. Peers of its family only are asked. Invalid: this
	// process knows itself by its answer.
	Self netip.Addr
	// Instance is the name of this process, as its [Handler] has it.
	Instance string
	// Sample is how many peers are asked at once, Timeout how long they have.
	Sample  int
	Timeout time.Duration
	// TLS, if set, asks by TLS.
	TLS *tls.Config
	// Resolver looks up the name.
	Resolver Resolver
	// Transport sends the questions. The default dials for each of them.
	Transport http.RoundTripper

	Monitor *health.Monitor
	// Updates has the present view and every new one.
	Updates <-chan *health.View
	Log     *slog.Logger
}

// Peers asks the peers of this Pod. But for the counts, its fields belong to the goroutine
// that runs Start.
type Peers struct {
	options   Options
	directory *directory
	client    *http.Client
	scheme    string
	faults    map[string]*fault // by service: of those that fail
	rounded   time.Time         // when the latest round ended
	silent    int               // rounds in a row that nobody answered
	unheard   bool              // that was logged
	unlisted  bool              // the latest lookup failed, and that was logged
	counts    atomic.Pointer[Counts]
}

// fault is the present one of a service.
type fault struct {
	ledger *Ledger
	checks uint64        // how many results of our own had come in when it was last decided on
	period time.Duration // from one round of questions to the next
}

// Counts says how many peers there are, how many the latest round asked, and how many of
// those answered.
type Counts struct{ Known, Asked, Answered int }

// New returns what asks the peers. It asks nobody before Start.
func New(o Options) *Peers {
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	if o.Transport == nil {
		transport := &http.Transport{
			// A new connection for each question: evidence does not rest on an old one,
			// and a large fleet costs no idle ones.
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

// Counts returns the present counts. It does not block.
func (p *Peers) Counts() Counts { return *p.counts.Load() }

// reply is what came of one question.
type reply struct {
	address       string
	sent, arrived time.Time
	answer        answer
	err           error
}

// list is what came of a lookup.
type list struct {
	addresses []string
	err       error
}

// Start asks and decides until ctx is done. It returns when nothing is under way any more.
func (p *Peers) Start(ctx context.Context) error {
	var calls sync.WaitGroup // at most one round and one lookup
	defer calls.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rounds, lookups := make(chan []reply, 1), make(chan list, 1)
	var asking, looking bool
	var asked time.Time // when the latest round began
	round, lookup := time.NewTimer(0), time.NewTimer(0)
	defer round.Stop()
	defer lookup.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-p.options.Updates:
			if p.see(v) && !asking { // a fault began
				round.Reset(0)
			}
			if len(p.faults) > 0 && !looking {
				lookup.Reset(max(0, lookupPeriod-time.Since(p.directory.tried)))
			}
		case <-round.C:
			asked, asking = time.Now(), true
			addresses := p.next()
			calls.Go(func() { rounds <- p.ask(ctx, addresses) })
		case replies := <-rounds:
			if ctx.Err() != nil { // they were cut short by us
				return nil
			}
			asking = false
			p.take(replies)
			p.decide()
			round.Reset(max(0, p.roundPeriod()-time.Since(asked)))
		case <-lookup.C:
			if p.directory.fixed() {
				continue
			}
			looking, p.directory.tried = true, time.Now()
			calls.Go(func() {
				addresses, err := p.directory.find(ctx)
				lookups <- list{addresses, err}
			})
		case l := <-lookups:
			if ctx.Err() != nil {
				return nil
			}
			looking = false
			first := p.directory.at.IsZero()
			p.looked(l)
			lookup.Reset(p.lookupPeriod())
			if first && l.err == nil && !asking {
				round.Reset(0)
			}
		}
	}
}

// roundPeriod is from the start of one round to the start of the next.
func (p *Peers) roundPeriod() time.Duration {
	period := time.Duration((0.9 + 0.2*mathrand.Float64()) * float64(calmPeriod))
	for _, f := range p.faults {
		period = min(period, f.period)
	}
	return period
}

// lookupPeriod is from the end of one lookup to the start of the next.
func (p *Peers) lookupPeriod() time.Duration {
	if len(p.faults) > 0 || p.unlisted {
		return lookupPeriod
	}
	return calmPeriod
}

// see takes in a view, and reports whether a fault began.
func (p *Peers) see(v *health.View) (began bool) {
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
		case f.checks != r.Checks: // a look of our own may be what a decision waits for
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

// next returns whom to ask now.
func (p *Peers) next() []string {
	n := 1
	if len(p.faults) > 0 {
		n = p.options.Sample
	}
	return p.directory.next(n)
}

// ask sends a question to each address, and returns when all have been answered or are
// out of time.
func (p *Peers) ask(ctx context.Context, addresses []string) []reply {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	replies := make([]reply, len(addresses))
	var questions sync.WaitGroup
	for i, a := range addresses {
		questions.Go(func() {
			r := reply{address: a, sent: time.Now()}
			r.answer, r.err = p.question(ctx, a)
			r.arrived = time.Now()
			replies[i] = r
		})
	}
	questions.Wait()
	return replies
}

func (p *Peers) question(ctx context.Context, address string) (answer, error) {
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

// take enters what a round brought.
func (p *Peers) take(replies []reply) {
	var asked, answered int
	var failed error
	for _, r := range replies {
		if r.err == nil && r.answer.instance == p.options.Instance {
			p.directory.isOurs(r.address)
			for _, f := range p.faults {
				f.ledger.forget(r.address)
			}
			continue
		}
		if r.err != nil && p.directory.isComplete() && !p.directory.lists(r.address) {
			continue // it has gone meanwhile
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
	p.rounded = time.Now()
	p.counts.Store(&Counts{Known: p.known(), Asked: asked, Answered: answered})
	p.silent++
	if asked == 0 || answered > 0 {
		p.silent = 0
	}
	switch {
	case p.silent > 0 && !p.unheard && (p.silent > 1 || asked > 1): // a single one may be restarting
		p.options.Log.Warn("no peer answers: a fault that all Pods share could not be told from one of this Pod", "asked", asked, "error", failed)
		p.unheard = true
	case answered > 0 && p.unheard:
		p.options.Log.Info("peers answer again", "answered", answered)
		p.unheard = false
	}
}

// known returns how many peers there are. While no list is good any more it is the latest
// number: what the fleet costs others depends on it.
func (p *Peers) known() int {
	fleet := p.directory.fleet(time.Now())
	if fleet.Peers == 0 && p.unlisted {
		return p.Counts().Known
	}
	return fleet.Peers
}

// looked takes in what a lookup brought. The last good list serves while the next ones
// fail, for a time.
func (p *Peers) looked(l list) {
	if l.err == nil {
		l.err = p.directory.found(l.addresses, time.Now())
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
	case l.err != nil && !p.unlisted:
		p.options.Log.Warn("the peers' name cannot be looked up: the last list serves for five minutes", "known", counts.Known, "error", l.err)
	case l.err == nil && p.unlisted:
		p.options.Log.Info("the peers' name can be looked up again", "known", counts.Known)
	}
	p.unlisted = l.err != nil
}

// decide decides on every fault.
func (p *Peers) decide() {
	for _, r := range p.options.Monitor.View().Results() {
		if f := p.faults[r.Service.Name]; f != nil && f.ledger.Fits(r) {
			p.decideOn(r)
		}
	}
}

// decideOn tells the monitor whose the fault of a service is. Nothing is decided before
// the first round about it has ended.
func (p *Peers) decideOn(mine health.Result) {
	f, now := p.faults[mine.Service.Name], time.Now()
	f.checks = mine.Checks
	if p.rounded.Before(f.ledger.began) {
		return
	}
	d := Decide(mine, f.ledger, p.directory.fleet(now), now)
	f.ledger.prune(now)
	d.At = p.rounded
	p.options.Monitor.Found(mine.Service.Name, d.Finding)
	if d.Look {
		p.options.Monitor.CheckSoon(mine.Service.Name)
	}
}
