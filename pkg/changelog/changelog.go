package changelog

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Logger logs the changes from one view to the next: statuses, scopes of faults,
// readiness and the override at info or warn, and every check at debug. It logs each note of an
// observation once per service. The errors contain the drivers' texts, so Log must
// redact.
type Logger struct {
	Updates <-chan *health.View
	Log     *slog.Logger

	last  *health.View
	noted map[string][]string // by service
}

// Start logs until ctx is done, and then the views that are already in Updates.
func (c *Logger) Start(ctx context.Context) error {
	for {
		select {
		case v := <-c.Updates:
			c.observe(v)
		case <-ctx.Done():
			for len(c.Updates) > 0 {
				c.observe(<-c.Updates)
			}
			return nil
		}
	}
}

func (c *Logger) observe(v *health.View) {
	last := c.last
	c.last = v
	if last != nil {
		c.changes(last, v)
	}
	if judged(v) && (last == nil || !judged(last)) {
		c.summary(v)
	}
}

func (c *Logger) changes(last, v *health.View) {
	ready := v.Readiness()
	for i, r := range v.Results() {
		c.service(last.Results()[i], r)
		c.scope(last.Results()[i], r, ready.Held(r.Service.Name))
	}
	if v.Override() != last.Override() {
		c.Log.Warn("readiness override", "from", last.Override(), "to", v.Override())
	}
	if was := last.Readiness(); was.Ready != ready.Ready {
		c.Log.Info("readiness changed", "ready", ready.Ready, "because", ready.String())
	}
}

// scope logs a change of the fault's scope, with the counts of peers that it is based on.
// It ignores changes of the counts alone, and the end of the fault, which is logged as a change of status.
func (c *Logger) scope(was, is health.Result, held bool) {
	if is.Scope == "" || is.Scope == was.Scope && is.FailingSince().Equal(was.FailingSince()) {
		return
	}
	from, f := was.Scope, is.Finding
	if from == "" {
		from = "none"
	}
	if is.Scope != f.Scope { // based on no answers, such as the scope of a stale result
		f = health.Finding{}
	}
	c.Log.Warn("fault scope changed", "service", is.Service.Name, "from", from, "to", is.Scope, "held", held,
		"peers_asked", f.Asked, "peers_failing", f.Failing, "peers_sound", f.Sound)
}

func (c *Logger) service(was, is health.Result) {
	log := c.Log.With("service", is.Service.Name)
	if is.Discarded != was.Discarded {
		log.Warn("probe discarded: this process was starved of CPU", "discarded", is.Discarded)
	}
	if is.Checks != was.Checks {
		probed(log, is.Last)
		c.note(log, is)
	}
	switch {
	case is.Status == was.Status && is.Reason() == was.Reason():
	case is.Status == was.Status:
		log.Warn("reason changed", "status", is.Status, "from", was.Reason(), "to", is.Reason(), "error", is.Fault())
	case is.Status == health.Healthy:
		log.Info("status changed", "from", was.Status, "to", is.Status, "after_ms", millis(is.Since.Sub(was.Since)))
	default:
		log.Warn("status changed", "from", was.Status, "to", is.Status, "reason", is.Reason(), "error", is.Fault())
	}
}

// maxNotes bounds the notes that are remembered, since a note may contain text from the server.
const maxNotes = 16

func (c *Logger) note(log *slog.Logger, r health.Result) {
	name := r.Service.Name
	for _, note := range r.Last.Observation.Notes {
		if slices.Contains(c.noted[name], note) || len(c.noted[name]) == maxNotes {
			continue
		}
		if c.noted == nil {
			c.noted = make(map[string][]string)
		}
		c.noted[name] = append(c.noted[name], note)
		log.Warn("the check could not look at everything", "note", note)
	}
}

func probed(log *slog.Logger, o health.Outcome) {
	if o.Fault == nil {
		log.Debug("probe succeeded", "duration_ms", millis(o.Duration()))
	} else {
		log.Debug("probe failed", "duration_ms", millis(o.Duration()), "error", o.Fault)
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// summary logs the first statuses, after every service has one.
func (c *Logger) summary(v *health.View) {
	args := []any{"status", v.Status(), "ready", v.Readiness().Ready}
	for _, r := range v.Results() {
		args = append(args, slog.String(r.Service.Name, verdict(r)))
	}
	c.Log.Info("first verdicts", args...)
}

func verdict(r health.Result) string {
	if r.Reason() == "" {
		return r.Status.String()
	}
	return r.Status.String() + ": " + string(r.Reason())
}

// judged reports whether every service has a result.
func judged(v *health.View) bool {
	for _, r := range v.Results() {
		if r.Status == health.Unknown {
			return false
		}
	}
	return true
}
