package metrics_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// A server that asks for it gets a native histogram of the answers beside the buckets, of a
// bounded size. Failures are counted in the classic form alone, which alerts rest on.
func TestNativeHistogram(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "redis")
	const steps = 2000
	for i := range steps { // from 10 µs to 100 s
		p.check("redis", answer(time.Duration(1e4*math.Pow(10, 7*float64(i)/steps))))
	}
	p.check("redis", fail("refused"))

	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err != nil {
			t.Fatalf("the histogram of durations was not found: %v", err)
		}
		if family.GetName() != "reims_health_probe_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			h := m.GetHistogram()
			var buckets int
			for _, span := range h.GetPositiveSpan() {
				buckets += int(span.GetLength())
			}
			switch result := m.GetLabel()[0].GetValue(); {
			case result == "failure" && (buckets != 0 || len(h.GetBucket()) != 0 || h.Schema != nil):
				t.Errorf("failures have %d native buckets and %d classic ones, want none beside +Inf, which is not written", buckets, len(h.GetBucket()))
			case result == "success" && (buckets < 30 || buckets > 100 || len(h.GetBucket()) != 4 || h.GetSampleCount() != steps):
				t.Errorf("answers: %d native buckets, %d classic ones, %d samples; want 30 to 100, 4 and %d", buckets, len(h.GetBucket()), h.GetSampleCount(), steps)
			}
		}
		return
	}
}
