package fleet

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"time"
)

// workload is a target with what its Pods said. The collector's lock guards it.
type workload struct {
	target  *Target
	tls     *tls.Config
	pods    []*pod // as in the target
	summary *Summary
	changes changes
	counts  map[Failure]int // of all questions, by how they ended
	began   time.Time
	next    time.Time // when the round ends
}

// pod is one Pod of a workload.
type pod struct {
	workload *workload
	spec     Pod
	phase    float64 // its place in the interval, from 0 to 1
	due      time.Time
	gone     bool
	conn     net.Conn      // idle, or nil
	answer   Answer        // the newest that can be used, or the latest failure
	kept     time.Duration // for how long that answer counts
	silent   time.Time
	failure  Answer // the latest question, where it failed
}

func newWorkload() *workload { return &workload{counts: map[Failure]int{}} }

// interval is what the target wants.
func (w *workload) interval() time.Duration {
	if w.target == nil {
		return 0
	}
	return w.target.interval()
}

// set makes the workload's Pods those of a target, and returns the connections that are no
// longer needed and the Pods that are new. A Pod that has another address is a new one.
func (w *workload) set(t *Target) (gone []net.Conn, fresh []*pod) {
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
			fresh = append(fresh, p)
		} else {
			delete(old, spec.UID)
		}
		p.spec = spec
		w.pods = append(w.pods, p)
	}
	for _, p := range old {
		gone = append(gone, p.leave()...)
	}
	return gone, fresh
}

// leave forgets a Pod, and returns its connection.
func (p *pod) leave() []net.Conn {
	p.gone = true
	return p.disconnect()
}

func (p *pod) disconnect() []net.Conn {
	conn := p.conn
	p.conn = nil
	return compact(conn)
}

func (w *workload) disconnect() []net.Conn {
	var all []net.Conn
	for _, p := range w.pods {
		all = append(all, p.disconnect()...)
	}
	return all
}

// remove forgets all Pods, and returns their connections.
func (w *workload) remove() []net.Conn {
	var all []net.Conn
	for _, p := range w.pods {
		all = append(all, p.leave()...)
	}
	return all
}

// record keeps an answer. One that failed does not replace one that counts still.
func (p *pod) record(a Answer, kept time.Duration) {
	if a.Failure == "" {
		p.answer, p.kept, p.failure, p.silent = a, kept, Answer{}, time.Time{}
		return
	}
	if p.silent.IsZero() {
		p.silent = a.At
	}
	p.failure = a
	p.age(a.At, kept)
}

// age lets the answer go that is too old. Where no question has failed since, one is under way for
// longer than that. Until it ends, an answer to an interval that was longer counts for as long as it
// was to.
func (p *pod) age(now time.Time, kept time.Duration) {
	switch {
	case p.answer.At.IsZero() && p.failure.Failure == "":
	case p.failure.Failure != "":
		if p.answer.Failure != "" || now.Sub(p.answer.At) > kept {
			p.answer = p.failure
		}
	case p.answer.Failure == "" && now.Sub(p.answer.At) > max(kept, p.kept):
		p.answer, p.silent = Answer{At: now, Failure: FailureTimeout}, now
	}
}

// nextDue is when the Pod is asked again: at its place in the interval, a little sooner or
// later, so that no two programs go on asking at the same moments.
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

// waits reports whether the first round goes on: some Pod has not been asked, and it is not
// too late.
func (w *workload) waits(now time.Time, patience time.Duration) bool {
	if now.Sub(w.began) > patience {
		return false
	}
	for _, p := range w.pods {
		if p.answer.At.IsZero() {
			return true
		}
	}
	return false
}

// snapshot is what the Pods said, as it counts now.
func (w *workload) snapshot(now time.Time, kept time.Duration) []PodSummary {
	all := make([]PodSummary, len(w.pods))
	for i, p := range w.pods {
		p.age(now, kept)
		all[i] = PodSummary{Pod: p.spec, Answer: p.answer, Silent: p.silent}
	}
	return all
}

// schedule is a heap of the Pods that wait for their next question.
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
