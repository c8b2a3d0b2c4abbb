package strain

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestSlope(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value    func(second int) float64
		perHour  float64
		exceeded bool
	}{
		"flat":        {func(int) float64 { return 30 }, 0, false},
		"falls":       {func(s int) float64 { return 30 - float64(s)/600 }, -6, false},
		"rises a bit": {func(s int) float64 { return 30 + float64(s)/3600 }, 1, false},
		"leaks":       {func(s int) float64 { return 30 + float64(s)/60 }, 60, true},
		"swings":      {func(s int) float64 { return 30 + float64(s%2) }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &series{name: "figure", unit: "MB", growth: 3}
			for second := range 601 { // ten minutes
				s.add(time.Duration(second)*time.Second, tt.value(second))
			}
			if math.Abs(s.slope()-tt.perHour) > 0.1 {
				t.Errorf("slope %v, want %v", s.slope(), tt.perHour)
			}
			if math.Abs(s.bound()-18) > 1e-9 {
				t.Errorf("bound %v, want 18: 3 in ten minutes", s.bound())
			}
			var text strings.Builder
			exceeded, err := printSeries(&text, []*series{s})
			if (len(exceeded) > 0) != tt.exceeded || err != nil || strings.Contains(text.String(), "EXCEEDED") != tt.exceeded {
				t.Errorf("exceeded: %v, %v\n%s", exceeded, err, text.String())
			}
		})
	}
}

// A run that has sampled nothing has shown nothing.
func TestNoSamples(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	if exceeded, _ := printSeries(&text, []*series{{name: "figure", growth: 3}}); len(exceeded) != 1 {
		t.Errorf("passed:\n%s", text.String())
	}
}
