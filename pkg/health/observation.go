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
)

// Value is one fact that a check saw: the value of a [Measure].
type Value struct {
	Name   string
	Unit   Unit
	Number float64  // of a UnitNumber; bytes of a UnitBytes; 0 or 1 of a UnitFlag
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
