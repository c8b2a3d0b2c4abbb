package health

import (
	"slices"
	"strings"
)

// Kind describes what all services of one kind have in common, for readers. It is never
// changed.
type Kind struct {
	// Name is the kind's, such as postgres.
	Name string
	// Title is what people call the service that is named Service: MinIO.
	Title string
	// Service is the name of the service that has always been of this kind, such as
	// database. It alone has the gauges without a service label.
	Service string
	// InReady shows that service's status in the answer of /health/ready.
	InReady bool
	// Reasons are those that its checks alone give, or that mean something else with it.
	Reasons []ReasonText
	// Measures describe the values that its checks report, in the order of references.
	Measures []Measure
	// Shares are how values are drawn together, as parts of a whole.
	Shares []Share
	// Latency is the gauge of the latency in milliseconds that Service has besides the
	// canonical one; none where it has no name.
	Latency Gauge
}

// Measure describes one fact that checks of a kind report.
type Measure struct {
	// Name is its key in the details of an answer.
	Name string
	Unit Unit
	// Title is what people call it. The default is the name, in words.
	Title string
	// Zero is what people are shown in the place of 0. The default is 0.
	Zero string
	// Varies says that healthy services have another value at each check.
	Varies bool
	// Gauge is the metric that it becomes; none where it has no name.
	Gauge Gauge
	// Predecessor is what the module that the sidecar replaces said in its place, where
	// that was not the same.
	Predecessor Predecessor
}

// Gauge is a metric that is made of one measure or, by a label, of several.
type Gauge struct {
	Name string
	Help string
	// Label is the name of the label that tells the measures apart, and Value the
	// measure's; both are empty where there is one measure.
	Label, Value string
	// Absent says when there is no sample though the service is well; empty for never.
	Absent string
}

// Of returns the gauge for one of its measures.
func (g Gauge) Of(value string) Gauge {
	g.Value = value
	return g
}

// Predecessor says how a value differs from the predecessor's.
type Predecessor struct {
	// Value is the only value that it ever gave; empty for any.
	Value string
	// Why says why the difference is meant; empty where there is none.
	Why string
}

// Share is how values are drawn together: as parts of a whole. It is drawn where a check
// reports all of them.
type Share struct {
	Title string
	Parts []Part
	// Whole is the name of the measure that is the whole; empty for the sum of the parts.
	Whole string
	// Empty is said where the whole is nothing. The default is to draw nothing.
	Empty string
	// Covers is a measure that the text makes superfluous, or empty.
	Covers string
}

// Part is a measure within a [Share], and the word for it.
type Part struct{ Measure, Word string }

// Names returns the measures that the share shows.
func (s Share) Names() []string {
	names := []string{s.Whole, s.Covers}
	for _, p := range s.Parts {
		names = append(names, p.Measure)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// Drawn returns the shares of the kind, which may be nil.
func (k *Kind) Drawn() []Share {
	if k == nil {
		return nil
	}
	return k.Shares
}

// Measure returns what describes the values of that name. One that the kind does not
// declare is described by its name alone.
func (k *Kind) Measure(name string) Measure {
	if k != nil {
		for _, m := range k.Measures {
			if m.Name == name {
				return m.withTitle()
			}
		}
	}
	return Measure{Name: name}.withTitle()
}

func (m Measure) withTitle() Measure {
	if m.Title == "" {
		m.Title = capital(strings.ReplaceAll(m.Name, "_", " "))
	}
	return m
}

// ReasonText returns a reason in plain words; empty for none.
func (s *Service) ReasonText(r Reason) string {
	text, _ := s.Kind.Explain(r)
	return text.Message
}

// Title is what people call the service.
func (s *Service) Title() string {
	if s.Kind != nil && s.Kind.Title != "" && s.Kind.Service == s.Name {
		return s.Kind.Title
	}
	return capital(s.Name)
}

// InReady reports whether the answer of /health/ready shows the service's status.
func (s *Service) InReady() bool {
	return s.Kind != nil && s.Kind.InReady && s.Kind.Service == s.Name
}

// capital makes the first letter of an English text a capital.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
