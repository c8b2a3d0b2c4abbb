package scale

import (
	"math"
	"time"
)

// window is the unit of time in which evenness is measured.
const window = 100 * time.Millisecond

// Evenness says how evenly moments are spread over time, by their number per window.
type Evenness struct {
	Windows int
	// Mean and Peak are moments per window.
	Mean float64
	Peak int
	// Chance is the peak that independent random moments of that mean have in so many windows:
	// their median peak. A real one near it is as even as independent clients can be.
	Chance int
	// Dispersion is the variance of the counts divided by their mean: 1 for independent random
	// moments, more where they come in groups.
	Dispersion float64
}

// Ratio is that of the peak to the mean; 0 without moments.
func (e Evenness) Ratio() float64 { return ratio(float64(e.Peak), e.Mean) }

// ChanceRatio is that of the peak that chance alone has to the mean.
func (e Evenness) ChanceRatio() float64 { return ratio(float64(e.Chance), e.Mean) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// evennessOf counts the moments from one time to another, in whole windows.
func evennessOf(moments []time.Time, from, to time.Time) Evenness {
	counts := make([]int, to.Sub(from)/window)
	if len(counts) == 0 {
		return Evenness{}
	}
	total := 0
	for _, m := range moments {
		if i := int(m.Sub(from) / window); !m.Before(from) && i < len(counts) {
			counts[i]++
			total++
		}
	}
	e := Evenness{Windows: len(counts), Mean: float64(total) / float64(len(counts))}
	squares := 0.0
	for _, n := range counts {
		e.Peak = max(e.Peak, n)
		squares += (float64(n) - e.Mean) * (float64(n) - e.Mean)
	}
	e.Dispersion = ratio(squares/float64(len(counts)), e.Mean)
	e.Chance = likelyPeak(e.Mean, len(counts))
	return e
}

// likelyPeak is the median of the highest of so many counts of a Poisson distribution.
func likelyPeak(mean float64, windows int) int {
	if mean == 0 {
		return 0
	}
	below, most := 0.0, int(10*mean+100) // far above
	for k := range most {
		factorial, _ := math.Lgamma(float64(k) + 1)
		below += math.Exp(float64(k)*math.Log(mean) - mean - factorial)
		if math.Pow(below, float64(windows)) >= 0.5 {
			return k
		}
	}
	return most
}

// mostPer returns how many of the moments, which are in order, the busiest span of that length has.
func mostPer(span time.Duration, moments []time.Time) int {
	most, first := 0, 0
	for i, m := range moments {
		for m.Sub(moments[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
