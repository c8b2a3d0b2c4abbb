package strain

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// series are the values of one figure, each with when it was sampled.
type series struct {
	name, unit string
	at         []time.Duration
	values     []float64
	// growth is the most that the fitted line may rise over all of its time.
	growth float64
}

func (s *series) add(at time.Duration, value float64) {
	s.at, s.values = append(s.at, at), append(s.values, value)
}

// slope fits a line by least squares, and returns how much it rises per hour.
func (s *series) slope() float64 {
	var n, sumX, sumY, sumXX, sumXY float64
	for i, at := range s.at {
		x, y := at.Hours(), s.values[i]
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	if spread := n*sumXX - sumX*sumX; spread > 0 {
		return (n*sumXY - sumX*sumY) / spread
	}
	return 0
}

// bound is the slope per hour at which the line rises by the growth that is allowed.
func (s *series) bound() float64 {
	if len(s.at) < 2 {
		return 0
	}
	return s.growth / (s.at[len(s.at)-1] - s.at[0]).Hours()
}

// ends returns the means of the first and of the last tenth of the values, since single ones swing.
func (s *series) ends() (first, last float64) {
	n := len(s.values)
	tenth := (n + 9) / 10
	return mean(s.values[:tenth]), mean(s.values[n-tenth:])
}

func mean(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// printSeries writes a table, and returns an error for the slopes that exceed their bounds.
func printSeries(w io.Writer, all []*series) (exceeded []string, err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tsamples\tfirst\tlast\tslope per hour\tbound")
	for _, s := range all {
		first, last := s.ends()
		mark := ""
		if len(s.values) < 3 {
			exceeded = append(exceeded, s.name+": too few samples")
		} else if s.slope() > s.bound() {
			mark = "  EXCEEDED"
			exceeded = append(exceeded, fmt.Sprintf("%s grows by %.2f %s per hour, the bound is %.2f", s.name, s.slope(), s.unit, s.bound()))
		}
		fmt.Fprintf(t, "%s, %s\t%d\t%.2f\t%.2f\t%+.2f\t%.2f%s\n", s.name, s.unit, len(s.values), first, last, s.slope(), s.bound(), mark)
	}
	return exceeded, t.Flush()
}
