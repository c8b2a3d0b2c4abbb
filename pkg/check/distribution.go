package check

import (
	"math"
	"slices"
)

// Distribution sums up times, in milliseconds.
type Distribution struct {
	Count int     `json:"count"`
	Min   float64 `json:"min_ms"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
	// Buckets is the histogram, from the first that is not empty to the last.
	Buckets []Bucket `json:"histogram"`
}

// Bucket counts the times above From, up to and with To, in milliseconds. The first
// bucket begins at 0.
type Bucket struct {
	From  float64 `json:"from_ms"`
	To    float64 `json:"to_ms"`
	Count int     `json:"count"`
}

// Distribute sums up times in milliseconds. A percentile is the least of them that so
// many are at or below. It is nil where there are none.
func Distribute(times []float64) *Distribution {
	if len(times) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(p float64) float64 { return sorted[max(1, int(math.Ceil(p*float64(len(sorted)))))-1] }
	return &Distribution{
		Count: len(sorted), Min: sorted[0], P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: sorted[len(sorted)-1],
		Buckets: buckets(sorted),
	}
}

// bounds are a bucket's upper ends: 1, 2 and 5 of each power of ten, since latencies
// spread over several.
func bounds() []float64 {
	var all []float64
	for power := -2.0; power <= 5; power++ {
		for _, n := range []float64{1, 2, 5} {
			all = append(all, math.Round(n*math.Pow(10, power+2))/100)
		}
	}
	return append(all, math.Inf(1))
}

func buckets(sorted []float64) []Bucket {
	var all []Bucket
	from := 0.0
	for _, to := range bounds() {
		n, _ := slices.BinarySearchFunc(sorted, to, func(v, to float64) int {
			if v <= to {
				return -1
			}
			return 1
		})
		if len(sorted) > 0 && (n > 0 || len(all) > 0) {
			all = append(all, Bucket{from, min(to, math.MaxFloat64), n})
		}
		sorted, from = sorted[n:], to
	}
	for all[len(all)-1].Count == 0 {
		all = all[:len(all)-1]
	}
	return all
}
