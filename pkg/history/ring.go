package history

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// ring keeps the latest samples of one service. One goroutine at a time adds, any
// number read, and nobody waits for anybody: a reader that was overtaken leaves out
// what was overwritten meanwhile. Samples are in order of time: one that a clock set
// back would date before the latest gets the time of that.
type ring struct {
	reasons []health.Reason // the table of their numbers
	added   atomic.Uint64   // how many samples, ever
	slots   [slots]slot
}

// slots are one more than the samples that are kept: the next one is written there.
const slots = Capacity + 1

func newRing(k *health.Kind) *ring { return &ring{reasons: health.Reasons(k)} }

// slot is one sample, in 16 bytes.
type slot struct {
	time atomic.Int64  // in Unix milliseconds
	what atomic.Uint64 // latency in microseconds, status and reason; see pack
}

func (r *ring) add(s health.Sample) {
	n := r.added.Load()
	slot, latest := &r.slots[n%slots], &r.slots[(n+slots-1)%slots]
	slot.time.Store(max(s.Time.UnixMilli(), latest.time.Load()))
	slot.what.Store(r.pack(s))
	r.added.Store(n + 1)
}

// since returns the samples from a moment on, the oldest first.
func (r *ring) since(from time.Time) []health.Sample {
	end := r.added.Load()
	samples := r.read(end-min(end, Capacity), end)
	first := slices.IndexFunc(samples, func(s health.Sample) bool { return !s.Time.Before(from) })
	if first < 0 {
		return nil
	}
	return samples[first:]
}

// read returns the samples from begin up to end, by their number, without those that
// were overwritten meanwhile.
func (r *ring) read(begin, end uint64) []health.Sample {
	samples := make([]health.Sample, 0, end-begin)
	for i := begin; i < end; i++ {
		slot := &r.slots[i%slots]
		samples = append(samples, r.unpack(slot.time.Load(), slot.what.Load()))
	}
	// By now the next sample may have been begun, over the oldest that was left.
	if overwritten := int64(r.added.Load()) + 1 - slots - int64(begin); overwritten > 0 { //nolint:gosec // counts of samples
		samples = samples[min(int(overwritten), len(samples)):]
	}
	return samples
}

// pack puts 48 bits of latency (nine years, rounded up: zero is no answer) before 8 of
// status and 8 of reason.
func (r *ring) pack(s health.Sample) uint64 {
	latency := (s.Latency + time.Microsecond - 1) / time.Microsecond
	return uint64(latency)<<16 | uint64(s.Status)<<8 | r.number(s.Reason) //nolint:gosec // never negative
}

func (r *ring) unpack(at int64, what uint64) health.Sample {
	s := health.Sample{
		Time:    time.UnixMilli(at),
		Status:  health.Status(what >> 8 & 0xff),
		Latency: time.Duration(what>>16) * time.Microsecond,
	}
	if n := what & 0xff; n > 0 {
		s.Reason = r.reasons[n-1]
	}
	return s
}

// number is the reason's place in the table, from 1 on; 0 is none. Every fault's reason
// is there: the set is closed.
func (r *ring) number(reason health.Reason) uint64 {
	return uint64(slices.Index(r.reasons, reason) + 1) //nolint:gosec // a place in a short list
}
