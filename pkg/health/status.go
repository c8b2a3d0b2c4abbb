package health

// Status is a verdict, on one service or on all of them. Verdicts are ordered:
// a greater one is worse.
type Status uint8

// The verdicts. The zero value is Unknown: nothing has been seen yet.
const (
	Unknown Status = iota
	Healthy
	Degraded
	Unhealthy
)

var statusNames = [...]string{"unknown", "healthy", "degraded", "unhealthy"}

// Statuses returns every verdict, for readers that show all of them, such as a
// one-hot gauge.
func Statuses() []Status { return []Status{Unknown, Healthy, Degraded, Unhealthy} }

// String returns the name that HTTP bodies and metric labels use.
func (s Status) String() string { return statusNames[s] }
