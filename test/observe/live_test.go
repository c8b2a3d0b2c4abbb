//go:build observe

package observe_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/observe"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// patience bounds every wait for an alert to come or to go.
const patience = 2 * time.Minute

// live is the stage and when the test began.
type live struct {
	*observe.Stage
	t     *testing.T
	began time.Time
}

// TestAlerts breaks one thing after the other. Each time the one alert that tells of it
// arrives, once, and no other; and it resolves. Afterwards every query that a person
// relies on is asked.
func TestAlerts(t *testing.T) { //nolint:paralleltest // it takes minutes and the processors
	l := open(t)
	l.warm()
	l.calm("before anything is broken")
	for _, scene := range observe.Scenes() {
		if !t.Run(scene.Name, func(t *testing.T) { l.play(t, scene) }) {
			t.FailNow() // what is not mended would tell in the next scene
		}
	}
	t.Run("queries", l.queriesHaveData)
	t.Run("old names", l.oldNamesHaveData)
	t.Run("series", l.seriesAreFew)
	t.Run("names", l.metricsAreWellNamed)
}

func open(t *testing.T) *live {
	t.Helper()
	dir := servers.TempDir(t)
	binary, err := program.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{Stage: new(observe.Stage), t: t, began: time.Now()}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	err = l.Open(t.Context(), observe.Options{
		Dir: dir, Program: binary, Factor: factor,
		Notify:   func(e observe.Event) { l.say("%s", describe(e)) },
		Progress: func(line string) { l.say("%s", line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	l.say("%d sidecars, Prometheus and Alertmanager run; durations are divided by %d", len(l.Sidecars), factor)
	return l
}

func describe(e observe.Event) string {
	if e.Resolved {
		return "<- " + e.Receiver + ": resolved: " + e.String()
	}
	return "<- " + e.Receiver + ": " + e.String() + ": " + e.Annotations["summary"]
}

func (l *live) say(format string, args ...any) {
	l.t.Logf("%6.1fs  %s", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// play goes through one scene.
func (l *live) play(t *testing.T, scene observe.Scene) { //nolint:thelper // it is the test
	began, before := time.Now(), len(l.Receiver.Events())
	events := func() []observe.Event { return l.Receiver.Events()[before:] }
	l.say("%s", scene.Name)
	if err := scene.Break(t.Context(), l.Stage); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, patience, "alert", func() bool { return len(events()) >= len(scene.Alerts) })
	if scene.Alerts != nil {
		l.say("all told after %.1f s, which stand for %.0f s", time.Since(began).Seconds(), time.Since(began).Seconds()*factor)
	}
	pause(t, scene.Hold/factor-time.Since(began))
	l.say("mend")
	mended := time.Now()
	if err := scene.Mend(t.Context(), l.Stage); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, patience, "resolution", func() bool { return len(events()) >= 2*len(scene.Alerts) })
	l.calm("after " + scene.Name)
	l.say("calm after %.1f s", time.Since(mended).Seconds())
	checkEvents(t, scene, events())
	l.checkFiring(t, scene, began)
}

// warm waits until everything is seen to be well, and recorded.
func (l *live) warm() {
	l.t.Helper()
	for query, want := range map[string]float64{
		"sum(reims_health_up)": 12, // four services, as three Pods see them
		"count(namespace_service:reims_health_probe_success:ratio_rate5m)": 4,
	} {
		poll.Within(l.t, patience, query, func() bool {
			series, err := l.Ask(l.t.Context(), query, time.Now(), time.Now(), time.Second)
			return err == nil && len(series) == 1 && series[0].Values[0] == want
		})
	}
}

// calm waits until Prometheus knows of no alert, not even a pending one.
func (l *live) calm(when string) {
	l.t.Helper()
	poll.Within(l.t, patience, "calm "+when, func() bool {
		alerts := l.alertsSince(l.t, time.Now().Add(-2*l.Scrape()), "")
		return len(alerts) == 0
	})
}

// checkEvents wants each alert once, at the receiver of its severity, and its end.
func checkEvents(t *testing.T, scene observe.Scene, events []observe.Event) {
	t.Helper()
	var have, want []string
	for _, e := range events {
		have = append(have, fmt.Sprintf("%s %s resolved=%t", e.Receiver, e.String(), e.Resolved))
	}
	for _, alert := range scene.Alerts {
		receiver := "ticket"
		if strings.Contains(alert, "severity=critical") {
			receiver = "page"
		}
		for _, resolved := range []bool{false, true} {
			want = append(want, fmt.Sprintf("%s %s resolved=%t", receiver, alert, resolved))
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("what arrived (-want +got)\n%s", diff)
	}
}

// checkFiring wants no other alert to have fired in Prometheus.
func (l *live) checkFiring(t *testing.T, scene observe.Scene, since time.Time) {
	t.Helper()
	want := slices.Sorted(slices.Values(slices.Concat(scene.Alerts, scene.Silenced)))
	if diff := cmp.Diff(want, l.alertsSince(t, since, `{alertstate="firing"}`)); diff != "" {
		t.Errorf("what fired in Prometheus (-want +got)\n%s", diff)
	}
}

// alertsSince returns Prometheus' alerts of a time.
func (l *live) alertsSince(t *testing.T, since time.Time, selector string) []string {
	t.Helper()
	series, err := l.Ask(t.Context(), "ALERTS"+selector, since, time.Now(), l.Scrape()/2)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range series {
		names = append(names, observe.Alert{Labels: s.Labels}.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}
