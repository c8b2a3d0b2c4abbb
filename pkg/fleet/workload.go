package fleet

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"time"
)

// workload is a target with the answers of its Pods. The collector's lock guards it.
type workload struct {
	target  *Target
	tls     *tls.Config
	pods    []*pod // as in the target
	summary *Summary
	changes changes
	counts  map[Failure]int // of all requests, by result
	addedAt time.Time
	next    time.Time // when the round ends
}

// pod is one Pod of a workload.
type pod struct {
	workload *workload
	spec     Pod
	phase    float64 // when it is asked within the interval, from 0 to 1
	due      time.Time
	gone     bool
	conn     net.Conn      // idle, or nil
	answer   Answer        // the newest that can be used, or the latest failure
	validFor time.Duration // how long that answer counts
	silent   time.Time
	failure  Answer // the latest request, if it failed
}

func newWorkload() *workload { return &workload{counts: map[Failure]int{}} }

// interval returns the target's interval, or 0 without a target.
func (w *workload) interval() time.Duration {
	if w.target == nil {
		return 0
	}
	return w.target.interval()
}

// set replaces the target. It returns the connections that are no longer needed, and the Pods that
// are new. A Pod whose address has changed is a new one.
func (w *workload) set(t *Target) (gone []net.Conn, added []*pod) {
	old := make(map[string]*pod, len(w.pods))
	for _, p := range w.pods {
		old[p.spec.UID] = p
	}
	if w.target == nil || !bytes.Equal(w.target.CA, t.CA) || w.target.ServerName != t.ServerName {
		gone = w.disconnect()
		w.tls = newTLS(t)
	}
	w.target, w.pods = t, make([]*pod, 0, len(t.Pods))
	for _, spec := range t.Pods {
		p := old[spec.UID]
		if p == nil || p.spec.Address != spec.Address {
			p = &pod{workload: w}
			added = append(added, p)
		} else {
			delete(old, spec.UID)
		}
		p.spec = spec
		w.pods = append(w.pods, p)
	}
	for _, p := range old {
		gone = append(gone, p.drop()...)
	}
	return gone, added
}

// drop marks a Pod as gone, and returns its connection.
func (p *pod) drop() []net.Conn {
	p.gone = true
	return p.disconnect()
}

func (p *pod) disconnect() []net.Conn {
	conn := p.conn
	p.conn = nil
	return asSlice(conn)
}

func (w *workload) disconnect() []net.Conn {
	var all []net.Conn
	for _, p := range w.pods {
		all = append(all, p.disconnect()...)
	}
	return all
}

// remove drops all Pods, and returns their connections.
func (w *workload) remove() []net.Conn {
	var all []net.Conn
	for _, p := range w.pods {
		all = append(all, p.drop()...)
	}
	return all
}

// record stores an answer. A failure does not replace an answer that still counts.
func (p *pod) record(a Answer, validFor time.Duration) {
	if a.Failure == "" {
		p.answer, p.validFor, p.failure, p.silent = a, validFor, Answer{}, time.Time{}
		return
	}
	if p.silent.IsZero() {
		p.silent = a.At
	}
	p.failure = a
	p.expire(a.At, validFor)
}

// expire replaces an answer that is older than validFor by the latest failure. If no request has
// failed since, one is still in flight; then the Pod counts as timed out. An answer from a longer
// interval counts for as long as it was to count then.
func (p *pod) expire(now time.Time, validFor time.Duration) {
	switch {
	case p.answer.At.IsZero() && p.failure.Failure == "":
	case p.failure.Failure != "":
		if p.answer.Failure != "" || now.Sub(p.answer.At) > validFor {
			p.answer = p.failure
		}
	case p.answer.Failure == "" && now.Sub(p.answer.At) > max(validFor, p.validFor):
		p.answer, p.silent = Answer{At: now, Failure: FailureTimeout}, now
	}
}

// nextDue returns when the Pod is asked again: at its phase in the interval, with jitter, so that
// several programs do not keep asking at the same moments.
func (p *pod) nextDue(now time.Time, interval time.Duration) time.Time {
	const jitter = 0.1
	begin := now.Truncate(interval)
	place := p.phase + jitter*(rand.Float64()-0.5)
	next := begin.Add(time.Duration(place * float64(interval)))
	for next.Sub(now) < interval/2 {
		next = next.Add(interval)
	}
	return next
}

// awaitsFirstAnswers reports whether the first round must wait: a Pod has not been asked yet, and
// the workload was added at most limit ago.
func (w *workload) awaitsFirstAnswers(now time.Time, limit time.Duration) bool {
	if now.Sub(w.addedAt) > limit {
		return false
	}
	for _, p := range w.pods {
		if p.answer.At.IsZero() {
			return true
		}
	}
	return false
}

// snapshot returns the answers that count now.
func (w *workload) snapshot(now time.Time, validFor time.Duration) []PodSummary {
	all := make([]PodSummary, len(w.pods))
	for i, p := range w.pods {
		p.expire(now, validFor)
		all[i] = PodSummary{Pod: p.spec, Answer: p.answer, Silent: p.silent}
	}
	return all
}

// schedule is a heap of the Pods, ordered by their next request.
type schedule []*pod

// Len is the number of Pods.
func (s schedule) Len() int { return len(s) }

// Less orders the Pods by when they are due.
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }

// Swap swaps two Pods.
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

// Push appends a Pod.
func (s *schedule) Push(x any) {
	p, _ := x.(*pod)
	*s = append(*s, p)
}

// Pop removes the last Pod.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	p := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return p
}
