package health

import (
	"slices"
	"strings"
	"time"
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
	// Documented says that docs/troubleshooting.md has a section on each of Reasons, so that
	// [Service.Docs] leads there. A kind that is kept elsewhere leaves it out.
	Documented bool
	// Next are the next steps of reasons of every kind where this kind knows better.
	Next map[Reason]string
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
	// Gauge is the metric that it becomes; none where it has no name.
	Gauge Gauge
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

// Title is what people call the service: MinIO, or Billing API for billing-api.
func (s *Service) Title() string {
	if s.Kind != nil && s.Kind.Title != "" && s.Kind.Service == s.Name {
		return s.Kind.Title
	}
	words := strings.Split(s.Name, "-")
	for i, word := range words {
		if slices.Contains(initialisms, word) {
			words[i] = strings.ToUpper(word)
		}
	}
	return capital(strings.Join(words, " "))
}

// initialisms are written in capitals in titles.
var initialisms = []string{"ai", "api", "cdn", "crm", "db", "dns", "erp", "http", "https", "iam", "id", "ldap", "llm", "mq", "oidc", "s3", "sms", "smtp", "sql", "sso", "tls", "ui", "url"}

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

// Observation is what one check saw. A check that fails may return one as well,
// holding what it had seen until then.
type Observation struct {
	// Latency is how long the dependency took to answer. The default, zero, stands
	// for the duration of the whole check where that found no fault, and for no
	// answer where it found one: a refusal in 0.3 ms is no good latency. A check that
	// also dials or does more than one thing, or that got its answer and does not
	// like it, says how long the answer took.
	Latency time.Duration
	// Values are the facts, in the order in which readers show them. The service's kind
	// describes them.
	Values []Value
	// Notes say in plain words what the check could not look at, such as a figure
	// that the server withholds. They change no verdict; each is logged once. They
	// must hold nothing secret, and come from a small set.
	Notes []string
}

// Unit is what kind of value a measure has.
type Unit uint8

// The units. Texts and lists name things and are withheld from readers who may only see
// numbers (HEALTH_DETAILS=safe).
const (
	UnitNumber Unit = iota
	UnitBytes
	UnitFlag
	UnitText
	UnitList
	UnitTime
)

// Value is one fact that a check saw: the value of a [Measure].
type Value struct {
	Name   string
	Unit   Unit
	Number float64  // of a UnitNumber; bytes of a UnitBytes; 0 or 1 of a UnitFlag; seconds since 1970 of a UnitTime
	Text   string   // of a UnitText
	List   []string // of a UnitList
}

// Number is a count or any other plain number.
func Number[N int | int32 | int64 | uint64 | float64](name string, n N) Value {
	return Value{Name: name, Unit: UnitNumber, Number: float64(n)}
}

// Bytes is an amount of memory or storage, in bytes. People are shown it in the
// form that Redis uses (1.05M), metrics are given the number.
func Bytes(name string, n int64) Value {
	return Value{Name: name, Unit: UnitBytes, Number: float64(n)}
}

// Flag is a yes or no.
func Flag(name string, on bool) Value {
	v := Value{Name: name, Unit: UnitFlag}
	if on {
		v.Number = 1
	}
	return v
}

// Text names something: a version, an endpoint.
func Text(name, text string) Value {
	return Value{Name: name, Unit: UnitText, Text: text}
}

// List names several things. The list belongs to the value from here on.
func List(name string, list []string) Value {
	return Value{Name: name, Unit: UnitList, List: list}
}

// Time is a moment, in whole seconds. Metrics are given the seconds since 1970, JSON has RFC
// 3339 in UTC, and people are also shown how far away it is.
func Time(name string, t time.Time) Value {
	return Value{Name: name, Unit: UnitTime, Number: float64(t.Unix())}
}

// Moment returns the time of a UnitTime.
func (v Value) Moment() time.Time { return time.Unix(int64(v.Number), 0).UTC() }

// Identifying reports whether values of this unit name things (hosts, versions, buckets)
// rather than counting them.
func (u Unit) Identifying() bool { return u == UnitText || u == UnitList }

// Identifying reports whether the value names things rather than counting them.
func (v Value) Identifying() bool { return v.Unit.Identifying() }

// Find returns the number of the value with that name.
func (o Observation) Find(name string) (number float64, ok bool) {
	for _, v := range o.Values {
		if v.Name == name && !v.Identifying() {
			return v.Number, true
		}
	}
	return 0, false
}
