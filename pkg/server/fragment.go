package server

import (
	"strconv"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// fragment is the inside of a JSON array of what happened, the oldest first. As the
// elements from any moment on are its end, it answers any request as it is.
type fragment struct {
	times  []int64 // of each element, in Unix milliseconds
	begins []int   // of each element, in body
	body   []byte
}

func newFragment[E any](elements []E, timeOf func(E) time.Time, appendTo func([]byte, E) []byte) fragment {
	f := fragment{
		times: make([]int64, 0, len(elements)), begins: make([]int, 0, len(elements)),
		body: make([]byte, 0, 80*len(elements)),
	}
	for i, e := range elements {
		if i > 0 {
			f.body = append(f.body, ',')
		}
		f.times = append(f.times, timeOf(e).UnixMilli())
		f.begins = append(f.begins, len(f.body))
		f.body = appendTo(f.body, e)
	}
	return f
}

// since returns the elements from a moment on.
func (f fragment) since(from time.Time) []byte {
	for i, t := range f.times {
		if t >= from.UnixMilli() {
			return f.body[f.begins[i]:]
		}
	}
	return nil
}

func sampleTime(s health.Sample) time.Time { return s.Time }
func changeTime(c health.Change) time.Time { return c.Time }

// The statuses, reasons and times that are appended here need no escaping: history
// keeps no reason that is not in the closed set.

func appendSummary(b []byte, samples []health.Sample, d Details) []byte {
	quantiles := health.Quantiles(samples, 0.5, 0.99)
	if d == Off || quantiles == nil {
		return b
	}
	b = append(b, `"latency_p50_ms":`...)
	b = appendMillis(b, quantiles[0])
	b = append(b, `,"latency_p99_ms":`...)
	b = appendMillis(b, quantiles[1])
	return append(b, ',')
}

func appendSample(b []byte, s health.Sample, d Details) []byte {
	b = appendTime(append(b, `{"time":"`...), s.Time)
	b = append(append(b, `","status":"`...), s.Status.String()...)
	b = append(b, '"')
	if d != Off && s.Latency > 0 {
		b = appendMillis(append(b, `,"latency_ms":`...), s.Latency)
	}
	return append(appendReason(b, s.Reason, d), '}')
}

func appendChange(b []byte, c health.Change, d Details) []byte {
	b = appendTime(append(b, `{"time":"`...), c.Time)
	b = append(append(b, `","from":"`...), c.From...)
	b = append(append(b, `","to":"`...), c.To...)
	b = append(b, '"')
	return append(appendReason(b, c.Reason, d), '}')
}

func appendReason(b []byte, r health.Reason, d Details) []byte {
	if d == Off || r == "" {
		return b
	}
	b = append(append(b, `,"reason":"`...), r...)
	return append(b, '"')
}

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, timeFormat) }

func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, millis(d), 'f', -1, 64)
}
