package scale

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestEvenness(t *testing.T) {
	t.Parallel()
	from := time.Now()
	to := from.Add(100 * time.Second)
	random := rand.New(rand.NewPCG(1, 2))
	var even, chance, grouped []time.Time
	for i := range 30_000 {
		even = append(even, from.Add(time.Duration(i)*(100*time.Second/30_000)))
		chance = append(chance, from.Add(time.Duration(random.Int64N(int64(100*time.Second)))))
		grouped = append(grouped, from.Add(time.Duration(i%20)*5*time.Second))
	}
	for name, tt := range map[string]struct {
		moments                   []time.Time
		ratio, least, dispersions float64 // at most, at least, at most
	}{
		"even":    {even, 1.05, 1, 0.1},
		"chance":  {chance, 2.1, 1.4, 1.2},
		"grouped": {grouped, 51, 49, 1e6},
	} {
		e := evennessOf(tt.moments, from, to)
		if e.Mean != 30 || e.Windows != 1000 || e.Ratio() > tt.ratio || e.Ratio() < tt.least || e.Dispersion > tt.dispersions {
			t.Errorf("%s: %+v, ratio %.2f", name, e, e.Ratio())
		}
		if e.ChanceRatio() < 1.5 || e.ChanceRatio() > 1.8 { // 30 ± 5.5 per window, and 3.2 of these at most
			t.Errorf("%s: by chance %.2f", name, e.ChanceRatio())
		}
	}
	if e := evennessOf(nil, from, to); e.Ratio() != 0 || e.Chance != 0 {
		t.Errorf("nothing: %+v", e)
	}
}

func TestMostPer(t *testing.T) {
	t.Parallel()
	at := func(ms ...int) (moments []time.Time) {
		for _, m := range ms {
			moments = append(moments, time.UnixMilli(int64(m)))
		}
		return moments
	}
	for _, tt := range []struct {
		moments []time.Time
		want    int
	}{
		{nil, 0}, {at(5), 1}, {at(0, 1000, 2000), 1}, {at(0, 999, 1000, 1998), 3}, {at(0, 0, 0, 5000), 3},
	} {
		if got := mostPer(time.Second, tt.moments); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.moments, got, tt.want)
		}
	}
}
