package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const waitReady = "ready"

// waiter tells how far each target is, one line a change.
type waiter struct {
	targets []string
	out     io.Writer
	began   time.Time
	repeat  time.Duration     // from one line to the next that says the same
	said    map[string]string // by target
	printed map[string]time.Time
	met     bool // every target is there
}

// watch returns when every target is there, or with the context's error.
func (w *waiter) watch(ctx context.Context, updates <-chan *health.View) error {
	tick := time.NewTicker(w.repeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			w.remind()
		case v := <-updates:
			if w.met = w.see(v); w.met {
				return nil
			}
		}
	}
}

// see reports whether every target is there.
func (w *waiter) see(v *health.View) bool {
	all := true
	for _, target := range w.targets {
		state := w.targetState(v, target)
		all = all && state == waitReady
		if state == "" || state == w.said[target] {
			continue
		}
		w.said[target], w.printed[target] = state, time.Now()
		fmt.Fprintf(w.out, "%s: %s (%s)\n", target, state, time.Since(w.began).Round(100*time.Millisecond))
	}
	return all
}

// remind says of each target that is not there that it is still waited for, unless that
// was said a moment ago.
func (w *waiter) remind() {
	for _, target := range w.targets {
		if state := w.said[target]; state != waitReady && time.Since(w.printed[target]) >= w.repeat/2 {
			w.printed[target] = time.Now()
			fmt.Fprintf(w.out, "%s: still waiting: %s (%s)\n", target, orNoAnswer(state), time.Since(w.began).Round(100*time.Millisecond))
		}
	}
}

// missing lists the targets that are not there, with the reason.
func (w *waiter) missing() string {
	var b strings.Builder
	for _, target := range w.targets {
		if state := w.said[target]; state != waitReady {
			fmt.Fprintf(&b, "\n  %s: %s", target, orNoAnswer(state))
		}
	}
	return b.String()
}

func orNoAnswer(state string) string {
	if state == "" {
		return "no answer yet"
	}
	return state
}

// targetState is waitReady, or what the target is waiting for; empty where nothing
// is known yet.
func (w *waiter) targetState(v *health.View, target string) string {
	if target == waitSchema {
		return schemaState(v, !slices.Contains(w.targets, "database"))
	}
	r, ok := v.Service(target)
	switch {
	case !ok || r.Status == health.Unknown:
		return ""
	case r.OK():
		return waitReady
	default:
		return string(r.Reason()) + ": " + r.Message()
	}
}

// schemaState judges the schema alone: on a standby it is as good as on a primary. With
// reason, it says why the database does not answer; else the target database does.
func schemaState(v *health.View, reason bool) string {
	r, ok := v.Service("database")
	if !ok || r.Status == health.Unknown {
		return ""
	}
	current, read := r.Last.Observation.Find("schema_current")
	required, asked := r.Last.Observation.Find("schema_required")
	switch {
	case read && asked && current >= required:
		return waitReady
	case r.Reason() == health.SchemaBehind:
		return r.Message()
	case reason && r.Reason() != "":
		return "waiting for the database: " + string(r.Reason()) + ": " + r.Message()
	default:
		return "waiting for the database"
	}
}
