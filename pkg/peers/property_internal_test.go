package peers

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

// pod is one of a model of a fleet, without goroutines: its checks, one after the other,
// up to some moment.
type pod struct {
	result health.Result
	next   time.Time // when its next check begins
}

// check makes the next check of a pod. It fails where it begins after broken, unless
// that is zero.
func (p *pod) check(t *rapid.T, broken time.Time) {
	o := health.Outcome{Started: p.next}
	took := time.Duration(rapid.IntRange(1, 2000).Draw(t, "took")) * time.Millisecond
	if began := rapid.IntRange(0, 9).Draw(t, "blip"); o.Started.After(broken) && !broken.IsZero() || began == 0 {
		o.Fault = &health.Fault{Reason: health.ReasonRefused}
	}
	o.Finished = o.Started.Add(took)
	p.result = p.result.Next(o)
	pause := 4500 + rapid.IntRange(0, 1000).Draw(t, "pause")
	if p.result.InDoubt() {
		pause = 500 + rapid.IntRange(0, 500).Draw(t, "retry")
	}
	p.next = o.Finished.Add(time.Duration(pause) * time.Millisecond)
}

// If every check that begins after a moment fails, no Pod whose verdict became unhealthy
// after it is ever told that the fault is its own: whatever the order of the checks, the
// questions and their delays, the blips before, and what was known before.
func TestSharedIsNeverLocal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		broken := epoch.Add(20 * time.Second)
		svc := broken0(t)
		pods := make([]*pod, rapid.IntRange(2, 6).Draw(t, "pods"))
		for i := range pods {
			begin := epoch.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "begin")) * time.Millisecond)
			pods[i] = &pod{result: health.NewResult(svc, epoch), next: begin}
		}
		mine := pods[0]
		var ledger *Ledger
		now := epoch
		for range rapid.IntRange(10, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "step")) * time.Millisecond)
			for _, p := range pods {
				for finished(p, now) {
					p.check(t, broken)
				}
			}
			since := mine.result.FailingSince()
			switch {
			case since.IsZero() || !since.After(broken):
				ledger = nil // of an earlier blip, which may well be its own
				continue
			case ledger == nil || !ledger.Fits(mine.result):
				ledger = NewLedger(mine.result)
				ledger.began = now
			}
			ask(t, ledger, pods[1:], now)
			known := rapid.IntRange(0, len(pods)).Draw(t, "known")
			d := Decide(mine.result.At(now), ledger, Fleet{Peers: known, Fresh: rapid.Bool().Draw(t, "fresh")}, now)
			if d.Scope == health.ScopeLocal || d.Sound > 0 {
				t.Fatalf("%s after every check began to fail: %+v", now.Sub(broken), d)
			}
		}
	})
}

func broken0(t *rapid.T) *health.Service {
	svc := *broken(epoch, epoch).Service
	svc.FailureThreshold = rapid.IntRange(1, 3).Draw(t, "failure threshold")
	svc.SuccessThreshold = rapid.IntRange(1, 3).Draw(t, "success threshold")
	return &svc
}

// finished reports whether the check that a pod begins next is over by now, at the
// longest that it can take.
func finished(p *pod, now time.Time) bool { return p.next.Add(2 * time.Second).Before(now) }

// ask asks some peers. Each answers, or not, at some moment up to a second later, by what
// it knew then: no more than it knows now.
func ask(t *rapid.T, l *Ledger, peers []*pod, now time.Time) {
	for i, p := range peers {
		address := fmt.Sprintf("10.0.0.%d:8008", i+2)
		switch rapid.IntRange(0, 3).Draw(t, "asked") {
		case 0:
			continue
		case 1:
			l.asked(address, now)
			continue
		}
		sent := now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "on its way")) * time.Millisecond)
		answered := sent.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "there")) * time.Millisecond)
		if answered.After(now) || answered.Before(p.result.Last.Finished) {
			answered = now // what it knows now it did not know then
		}
		v := health.NewView(now, []health.Result{p.result}, health.NoOverride, false)
		a, err := decode(appendAnswer(nil, "peer", v, answered))
		if err != nil {
			t.Fatal(err)
		}
		l.asked(address, sent)
		l.answered(address, a.services["database"], sent, now)
	}
}

// Decide is a function of the evidence, not of its order, and keeps to the rules as they
// are written.
func TestDecideAgreesWithTheRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.SampledFrom([]rune("FSON-")), 0, 20, -1).Draw(t, "peers")
		mine := broken(epoch, epoch.Add(2*time.Second))
		ledger := ledgerOf(mine, epoch.Add(time.Second), letters)
		n := map[rune]int{}
		for _, letter := range letters {
			n[letter]++
		}
		extra := rapid.IntRange(0, 3).Draw(t, "not asked")
		fleet := Fleet{Peers: len(letters) + extra, Fresh: rapid.Bool().Draw(t, "fresh")}
		asked := n['F'] + n['S'] + n['O'] + n['-']
		want := health.ScopeLocal
		switch {
		case fleet.Fresh && n['N'] == fleet.Peers:
			want = health.ScopeAlone
		case asked == 0 || n['F']+n['S'] < asked-n['F']-n['S']:
			want = health.ScopeUnknown
		case n['F'] >= n['S']:
			want = health.ScopeShared
		case extra > 0 && (n['S']-n['F'])*(n['S']-n['F']) < 16*(n['S']+n['F']):
			want = health.ScopeUndecided
		}
		d := Decide(mine, ledger, fleet, epoch.Add(3*time.Second))
		if d.Scope != want || d.Asked != asked || d.Failing != n['F'] || d.Sound != n['S'] {
			t.Fatalf("%q of %+v: %+v, want %s", letters, fleet, d, want)
		}
	})
}
