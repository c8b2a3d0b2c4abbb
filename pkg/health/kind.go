package health

import (
	"slices"
	"strings"
	"time"
)

// Kind describes what all services of one kind have in common. It is immutable.
type Kind struct {
	// Name is the name of the kind, such as postgres.
	Name string
	// Title is the title, such as MinIO, of the service whose name is Service.
	Title string
	// Service is the name of the built-in service of this kind, such as database. Only
	// that service has the gauges without a service label.
	Service string
	// InReady adds the status of that service to the response of /health/ready.
	InReady bool
	// Reasons are the reasons that only this kind has, or whose text differs for it.
	Reasons []ReasonText
	// Documented says that docs/troubleshooting.md has a section on each of Reasons, to
	// which [Service.Docs] links. Kinds outside of this repository leave it false.
	Documented bool
	// Next replaces the next step of common reasons for this kind.
	Next map[Reason]string
	// Measures describe the values that its checks report, in the order of the reference.
	Measures []Measure
	// Shares are the values that are drawn as parts of a whole.
	Shares []Share
	// Latency is an additional gauge of the latency of Service, in milliseconds. There is
	// none if its name is empty.
	Latency Gauge
}

// Measure describes one fact that checks of a kind report.
type Measure struct {
	// Name is its key in the details of a response.
	Name string
	Unit Unit
	// Title is the text that people read. The default is made of the name.
	Title string
	// Zero is the text that people read instead of 0. The default is 0.
	Zero string
	// Gauge is its metric. There is none if the name of the gauge is empty.
	Gauge Gauge
}

// Gauge is a metric with the values of one measure, or of several that a label tells apart.
type Gauge struct {
	Name string
	Help string
	// Label is the name of the label, and Value its value for this measure. Both are
	// empty if the gauge has one measure.
	Label, Value string
	// Absent says when a healthy service has no sample. Empty means never.
	Absent string
}

// Of returns the gauge with a label value, for one of its measures.
func (g Gauge) Of(value string) Gauge {
	g.Value = value
	return g
}

// Share is a set of values that are drawn as parts of a whole. It is drawn if a check
// reports all of them.
type Share struct {
	Title string
	Parts []Part
	// Whole is the name of the measure that is the whole. Empty means the sum of the parts.
	Whole string
	// Empty is the text if the whole is 0. By default nothing is drawn then.
	Empty string
	// Covers is the name of a measure that need not be shown again, or empty.
	Covers string
}

// Part is the name of a measure within a [Share], and the word that is shown for it.
type Part struct{ Measure, Word string }

// Names returns the names of the measures that the share shows.
func (s Share) Names() []string {
	names := []string{s.Whole, s.Covers}
	for _, p := range s.Parts {
		names = append(names, p.Measure)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// Drawn returns the shares of the kind. The kind may be nil.
func (k *Kind) Drawn() []Share {
	if k == nil {
		return nil
	}
	return k.Shares
}

// Measure returns the description of the values of that name. The kind may be nil. For a
// name that it does not declare, the title is made of the name.
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

// ReasonText returns the message of a reason; empty for an empty reason.
func (s *Service) ReasonText(r Reason) string {
	text, _ := s.Kind.Explain(r)
	return text.Message
}

// Title returns the service's name as people read it: MinIO, or Billing API for
// billing-api.
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

// InReady reports whether the response of /health/ready has the service's status.
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

// Observation holds what one check measured. A check that fails may return what it
// measured before the failure.
type Observation struct {
	// Latency is the time until the dependency answered. If it is zero, it becomes the
	// duration of the whole check if there is no fault, and stays zero (no answer) if
	// there is one: a refused connection after 0.3 ms is no latency. A check sets it if
	// it also dials, sends several requests, or finds a fault in the answer.
	Latency time.Duration
	// Values are the measured values, in the order in which readers show them. The kind
	// of the service describes them.
	Values []Value
	// Notes say what the check could not measure, such as a figure that the server does
	// not disclose. They do not change the verdict. Each is logged once. They must hold
	// no secret, and come from a small set.
	Notes []string
}

// Unit is the type of a measure's values.
type Unit uint8

// The units. Texts and lists name things. With HEALTH_DETAILS=safe they are left out.
const (
	UnitNumber Unit = iota
	UnitBytes
	UnitFlag
	UnitText
	UnitList
	UnitTime
)

// Value is what a check measured for one [Measure].
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

// Bytes is an amount of memory or storage, in bytes. People see it in the form that
// Redis uses (1.05M), metrics have the number.
func Bytes(name string, n int64) Value {
	return Value{Name: name, Unit: UnitBytes, Number: float64(n)}
}

// Flag is a boolean value.
func Flag(name string, on bool) Value {
	v := Value{Name: name, Unit: UnitFlag}
	if on {
		v.Number = 1
	}
	return v
}

// maxText bounds a text that a server sends, in bytes: every response contains it. It is longer
// than any version, and than the name of a bucket (63) or a model (some 100) may be.
const maxText = 512

// Text names something: a version, an endpoint. A text of more than 512 bytes is cut.
func Text(name, text string) Value {
	return Value{Name: name, Unit: UnitText, Text: cut(text)}
}

// List names several things, each as in [Text]. The caller must not change the list afterwards.
func List(name string, list []string) Value {
	if slices.ContainsFunc(list, func(text string) bool { return len(text) > maxText }) {
		list = slices.Clone(list)
		for i := range list {
			list[i] = cut(list[i])
		}
	}
	return Value{Name: name, Unit: UnitList, List: list}
}

// cut returns the text, or its beginning where it is too long.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// Time is a moment, in whole seconds. Metrics have the seconds since 1970, JSON has RFC
// 3339 in UTC, and people also see how far away it is.
func Time(name string, t time.Time) Value {
	return Value{Name: name, Unit: UnitTime, Number: float64(t.Unix())}
}

// Moment returns the time of a UnitTime value.
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
