package registry_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
)

// Whatever a kind declares is whole, and no two kinds declare the same name.
func TestKindsAreCoherent(t *testing.T) {
	t.Parallel()
	kinds := append(registry.Kinds(), mail.Kind())
	var names, services, gauges, targets []string
	for _, k := range kinds {
		names = append(names, k.Name)
		gauges = append(gauges, checkMeasures(t, k)...)
		switch {
		case k.Service != "":
			services, targets = append(services, k.Service), append(targets, k.Service)
		case len(k.Schemes) == 0 || k.Settings != nil || len(k.Targets) > 0:
			t.Errorf("%s has no service of its own: it needs a scheme, and can have neither settings nor targets", k.Name)
		}
		for _, target := range k.Targets {
			targets = append(targets, target.Name)
			if target.Help == "" || target.State == nil {
				t.Errorf("%s: the target %s has no help or no state", k.Name, target.Name)
			}
		}
		if k.Heading == "" || k.Title == "" {
			t.Errorf("%s has no heading or no title", k.Name)
		}
		checkReasons(t, k)
		checkShares(t, k)
	}
	var variables []string
	for _, v := range config.Variables(kinds.Services()) {
		variables = append(variables, v.Name)
		if v.Help == "" || v.Values == "" {
			t.Errorf("%s has no help, or nothing says what it accepts", v.Name)
		}
	}
	for what, all := range map[string][]string{
		"kind": names, "service": services, "gauge": gauges, "target": targets, "variable": variables,
	} {
		noneTwice(t, what, all)
	}
}

func noneTwice(t *testing.T, what string, all []string) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(all))
	for i, name := range sorted {
		if name == "" || i > 0 && sorted[i-1] == name {
			t.Errorf("the %s %q is there twice or has no name", what, name)
		}
	}
}

func checkReasons(t *testing.T, k dependency.Kind) {
	t.Helper()
	var all []string
	for _, r := range k.Reasons {
		all = append(all, string(r.Reason))
		if r.Message == "" || r.Severity == health.SeverityInherit {
			t.Errorf("%s: the reason %s has no text or no severity", k.Name, r.Reason)
		}
		if r.Next == "" {
			t.Errorf("%s: the reason %s has no next step", k.Name, r.Reason)
		}
	}
	noneTwice(t, "reason of "+k.Name, all)
}

// checkMeasures returns the names of the kind's gauges.
func checkMeasures(t *testing.T, k dependency.Kind) (gauges []string) {
	t.Helper()
	var all, samples []string
	labels := map[string]string{} // by gauge
	for _, m := range k.Measures {
		all = append(all, m.Name)
		g := m.Gauge
		if g.Name == "" {
			continue
		}
		samples = append(samples, g.Name+" "+g.Value)
		if m.Unit.Identifying() || g.Help == "" || (g.Label == "") != (g.Value == "") {
			t.Errorf("%s: %s cannot be the gauge %+v", k.Name, m.Name, g)
		}
		if label, is := labels[g.Name]; is && label != g.Label {
			t.Errorf("%s: the gauge %s has the labels %q and %q", k.Name, g.Name, label, g.Label)
		} else if !is {
			gauges = append(gauges, g.Name)
		}
		labels[g.Name] = g.Label
	}
	// Kinds share the gauge of certificates, which the label service tells apart.
	gauges = slices.DeleteFunc(gauges, func(name string) bool { return name == dependency.CertificateMeasure().Gauge.Name })
	noneTwice(t, "measure of "+k.Name, all)
	noneTwice(t, "sample of "+k.Name, samples)
	if k.Latency.Name != "" {
		gauges = append(gauges, k.Latency.Name)
	}
	return gauges
}

func checkShares(t *testing.T, k dependency.Kind) {
	t.Helper()
	for _, share := range k.Shares {
		if share.Title == "" || len(share.Parts) == 0 {
			t.Errorf("%s: a share has no title or no parts: %+v", k.Name, share)
		}
		for _, name := range share.Names() {
			declared := slices.ContainsFunc(k.Measures, func(m health.Measure) bool { return m.Name == name && !m.Unit.Identifying() })
			if !declared {
				t.Errorf("%s: the share %q names %s, which is no number that the kind declares", k.Name, share.Title, name)
			}
		}
	}
}

// Every fault has a next step, and it names variables that the service has.
func TestNextSteps(t *testing.T) {
	t.Parallel()
	kinds := append(registry.Kinds(), mail.Kind())
	named, err := kinds.Examples("my-own")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(kinds.Services(), named...) {
		known := []string{"HEALTH_OVERRIDE_FILE", "OLLAMA_HOST"} // the latter is the server's own, too
		for _, v := range config.Variables([]*config.Service{s}) {
			known = append(known, v.Name)
			if v.Secret {
				known = append(known, v.Name+"_FILE")
			}
		}
		service := &health.Service{Name: s.Name, Kind: kinds.Called(s.Kind), Words: dependency.Words(s)}
		for _, r := range health.Reasons(service.Kind) {
			next := service.NextStep(r)
			if !strings.HasSuffix(next, ".") || strings.ContainsAny(next, "{}") {
				t.Errorf("%s, kind %s: the next step of %s is no sentence: %q", s.Name, s.Kind, r, next)
			}
			for _, name := range regexp.MustCompile(`[A-Z0-9]+(_[A-Z0-9]+)+`).FindAllString(next, -1) {
				if !slices.Contains(known, name) {
					t.Errorf("%s, kind %s: the next step of %s names %s, which is no variable: %q", s.Name, s.Kind, r, name, next)
				}
			}
		}
		for r := range service.Kind.Next {
			if !slices.Contains(health.Reasons(nil), r) {
				t.Errorf("kind %s: %s is no reason of every kind: it has its next step among the reasons", s.Kind, r)
			}
		}
	}
}
