package check

import (
	"time"
)

// Change is one thing that is not as it was when it was last seen.
type Change struct {
	At time.Time `json:"at"`
	// What is a service's name, or [Overall], or [Readiness].
	What string `json:"what"`
	// From is "" where it was not known.
	From string `json:"from"`
	To   string `json:"to"`
	// Reason and Message say why, where To is not well.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Scope is whose the fault is, where the sidecar asks its peers.
	Scope string `json:"fault_scope,omitempty"`
}

// What changes that is no service.
const (
	Overall   = "overall"
	Readiness = "readiness"
	Form      = "answer" // whether it is as the contract wants it
)

// Gone is what a service becomes that /health no longer lists.
const Gone = "gone"

// maxTrend is how many latencies of a service are remembered.
const maxTrend = 240

// Watch is what a monitor has seen so far. The zero value has seen nothing.
type Watch struct {
	// Latest is the latest look, or nil.
	Latest *Look
	// Services are as they were last seen, which is not in the latest look where that
	// found no answer.
	Services []LookService
	// Rounds counts the looks, and Failed those that failed.
	Rounds, Failed int

	ready  string
	wrong  bool
	trends map[string][]float64
	// checked is when the latest probe in a trend was.
	checked map[string]time.Time
}

// See takes in a look and returns what changed since what was seen before it.
func (w *Watch) See(l *Look) []Change {
	changes := w.changes(l)
	w.Rounds++
	if l.Failed {
		w.Failed++
	}
	w.Latest = l
	if l.Ready != "" {
		w.ready = l.Ready
	}
	if l.Status != NoAnswer {
		w.Services, w.wrong = l.Services, l.wrong()
	}
	w.remember(l)
	return changes
}

// Trend is a service's latest latencies in milliseconds, one per probe that was seen, and the
// latest last; 0 where there was none. Where an answer does not tell when the probe was, and
// while none comes, it is one per look.
func (w *Watch) Trend(service string) []float64 { return w.trends[service] }

func (w *Watch) remember(l *Look) {
	if w.trends == nil {
		w.trends, w.checked = make(map[string][]float64), make(map[string]time.Time)
	}
	for _, s := range w.Services {
		latency := s.LatencyMS
		switch {
		case l.Status == NoAnswer:
			latency = 0
		case !s.Checked.IsZero() && !s.Checked.After(w.checked[s.Name]):
			continue // the probe has been seen
		default:
			w.checked[s.Name] = s.Checked
		}
		w.trends[s.Name] = append(w.trends[s.Name], latency)
		w.trends[s.Name] = w.trends[s.Name][max(0, len(w.trends[s.Name])-maxTrend):]
	}
}

func (w *Watch) changes(l *Look) []Change {
	var all []Change
	add := func(c Change) {
		c.At = l.At
		all = append(all, c)
	}
	for _, s := range l.Services {
		if was := find(w.Services, s.Name); was.Status != s.Status || was.Reason != s.Reason || was.Scope != s.Scope {
			add(Change{What: s.Name, From: was.Status, To: s.Status, Reason: s.Reason, Message: s.Message, Scope: s.Scope})
		}
	}
	for _, was := range w.Services {
		if l.Status != NoAnswer && find(l.Services, was.Name).Name == "" {
			add(Change{What: was.Name, From: was.Status, To: Gone})
		}
	}
	if l.Ready != "" && l.Ready != w.ready {
		add(Change{What: Readiness, From: w.ready, To: l.Ready})
	}
	from := ""
	if w.Latest != nil {
		from = w.Latest.Status
	}
	if l.Status != from {
		c := Change{What: Overall, From: from, To: l.Status}
		if l.Status == NoAnswer {
			c.Message = l.Problems[0]
		}
		add(c)
	}
	return append(all, w.form(l)...)
}

// form tells when answers begin to be wrong, and when they are in order again.
func (w *Watch) form(l *Look) []Change {
	was, is := w.wrong, l.wrong()
	switch {
	case l.Status == NoAnswer || is == was:
		return nil
	case is:
		return []Change{{At: l.At, What: Form, From: "in order", To: "wrong", Message: l.Problems[0]}}
	default:
		return []Change{{At: l.At, What: Form, From: "wrong", To: "in order"}}
	}
}

// find returns the service of that name; one with no name where there is none.
func find(services []LookService, name string) LookService {
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	return LookService{}
}
