package health

import "time"

// Observation is what one check saw. A check that fails may return one as well,
// holding what it had seen until then.
type Observation struct {
	// Latency is how long the dependency took to answer. The default, zero, stands
	// for the duration of the whole check where that found no fault, and for no
	// answer where it found one: a refusal in 0.3 ms is no good latency. A check that
	// also dials or does more than one thing, or that got its answer and does not
	// like it, says how long the answer took.
	Latency time.Duration
	// Measures are the facts, in the order in which readers show them.
	Measures []Measure
	// Notes say in plain words what the check could not look at, such as a figure
	// that the server withholds. They change no verdict; each is logged once. They
	// must hold nothing secret, and come from a small set.
	Notes []string
}

// Kind is the kind of value that a [Measure] holds.
type Kind uint8

// The kinds of value. Text and List name things and are withheld from readers
// who may only see numbers (HEALTH_DETAILS=safe).
const (
	KindNumber Kind = iota
	KindBytes
	KindFlag
	KindText
	KindList
)

// Measure is one named fact.
type Measure struct {
	Name   string
	Kind   Kind
	Number float64  // of a KindNumber; bytes of a KindBytes; 0 or 1 of a KindFlag
	Text   string   // of a KindText
	List   []string // of a KindList
}

// Number is a count or any other plain number.
func Number[N int | int32 | int64 | uint64 | float64](name string, n N) Measure {
	return Measure{Name: name, Kind: KindNumber, Number: float64(n)}
}

// Bytes is an amount of memory or storage, in bytes. People are shown it in the
// form that Redis uses (1.05M), metrics are given the number.
func Bytes(name string, n int64) Measure {
	return Measure{Name: name, Kind: KindBytes, Number: float64(n)}
}

// Flag is a yes or no.
func Flag(name string, on bool) Measure {
	m := Measure{Name: name, Kind: KindFlag}
	if on {
		m.Number = 1
	}
	return m
}

// Text names something: a version, an endpoint.
func Text(name, text string) Measure {
	return Measure{Name: name, Kind: KindText, Text: text}
}

// List names several things. The list belongs to the measure from here on.
func List(name string, list []string) Measure {
	return Measure{Name: name, Kind: KindList, List: list}
}

// Identifying reports whether the measure names things (hosts, versions, buckets)
// rather than counting them.
func (m Measure) Identifying() bool { return m.Kind == KindText || m.Kind == KindList }

// Find returns the number of the measure with that name.
func (o Observation) Find(name string) (number float64, ok bool) {
	for _, m := range o.Measures {
		if m.Name == name && !m.Identifying() {
			return m.Number, true
		}
	}
	return 0, false
}
