package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Series is one line of an answer: its labels, and its points' values in order.
type Series struct {
	Labels map[string]string
	Values []float64
}

// Ask evaluates a query at every step of a time range, as a panel does.
func (s *Stage) Ask(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]Series, error) {
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	form := url.Values{
		"query": {query}, "start": {seconds(from)}, "end": {seconds(to)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	}
	var reply struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any // a time and a number in a string
			}
		}
	}
	if err := s.get(ctx, "/api/v1/query_range?"+form.Encode(), &reply); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", query, err)
	}
	if reply.Error != "" {
		return nil, fmt.Errorf("ask for %s: %s", query, reply.Error)
	}
	var all []Series
	for _, result := range reply.Data.Result {
		series := Series{Labels: result.Metric}
		for _, point := range result.Values {
			value, err := strconv.ParseFloat(fmt.Sprint(point[1]), 64)
			if err != nil {
				return nil, fmt.Errorf("ask for %s: %w", query, err)
			}
			series.Values = append(series.Values, value)
		}
		all = append(all, series)
	}
	return all, nil
}

// get decodes a reply of Prometheus, which has an error in it if the status is none.
func (s *Stage) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Prometheus.Endpoint()+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}
