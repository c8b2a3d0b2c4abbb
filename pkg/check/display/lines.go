package display

import (
	"fmt"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/check"
)

// State writes one line with all that a look saw.
func (p *Printer) State(l *check.Look) {
	services := make([]string, len(l.Services))
	for i, s := range l.Services {
		services[i] = s.Name + " " + because(s.Status, s.Reason, "")
	}
	text := strings.Join(check.NonEmpty(l.Status, words(l.Ready)), ", ")
	if len(services) > 0 {
		text += ": " + strings.Join(services, ", ")
	}
	p.stamped(l.At, text)
	for _, problem := range l.Problems {
		p.stamped(l.At, problem)
	}
}

// Changes writes a line a change.
func (p *Printer) Changes(changes []check.Change) {
	for _, c := range changes {
		p.stamped(c.At, c.What+": "+transition(c))
	}
}

// Watched sums up what a monitor has seen, in a line.
func (p *Printer) Watched(w *check.Watch, url string, took time.Duration) {
	if w.Latest == nil {
		return
	}
	p.line(fmt.Sprintf("%s at %s in %s, %d failed; at last %s", plural(w.Rounds, "look"), url, took.Round(time.Second), w.Failed,
		strings.Join(check.NonEmpty(w.Latest.Status, words(w.Latest.Ready)), ", ")))
}

func (p *Printer) stamped(at time.Time, text string) {
	p.line(at.UTC().Format(time.RFC3339), "  ", strings.ReplaceAll(text, "\n  ", ": "))
}

func transition(c check.Change) string {
	to := because(words(c.To), c.Reason, c.Message)
	if c.From == "" {
		return to
	}
	return words(c.From) + " -> " + to
}

func because(status, reason, message string) string {
	return strings.Join(check.NonEmpty(status, reason, message), ": ")
}

// words is a status as a person says it.
func words(status string) string { return strings.ReplaceAll(status, "_", " ") }
