package check

import (
	"bytes"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The path of the metrics, at an address of their own, and the gauge in which each
// service has one series.
const (
	metricsPath = "/metrics"
	upMetric    = "reims_health_up"
)

// metrics judges what Prometheus would get: each service must be in it.
func (j *judge) metrics(a *Answer) (f finding) {
	if f.want(a.Code == http.StatusOK, "the code is %d: want 200", a.Code); a.Code != http.StatusOK {
		return f
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.Body))
	if err != nil {
		f.wrong("the body is not Prometheus' text format: %v", err)
		return f
	}
	there := make(map[string]bool)
	for _, m := range families[upMetric].GetMetric() {
		there[labelOf(m, "service")] = true
	}
	for _, name := range j.health.Services.Keys() {
		f.want(there[name], "there is no %s of %s", upMetric, name)
	}
	f.note = fmt.Sprintf("%d metrics", len(families))
	return f
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
