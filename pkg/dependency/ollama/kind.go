// Package ollama is the kind of dependency that Ollama servers are: its settings, its
// checker, its reasons and its measures.
package ollama

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonModelMissing health.Reason = "model_missing"
	ReasonInference    health.Reason = "inference"
)

// Kind returns what is known of Ollama.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "ollama",
			Title:      "Ollama",
			Service:    "ollama",
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonModelMissing, Severity: health.SeverityImpaired, Message: "a model that must be there is not", Next: "Run `ollama pull` for the model, or correct {REQUIRED_MODELS}."},
				{Reason: ReasonInference, Severity: health.SeverityImpaired, Message: "the model is loaded and does not answer", Next: "Read Ollama's log; restarting it, or unloading the model, often helps."},
			},
			Next: map[health.Reason]string{
				health.ReasonForbidden: "Start Ollama with OLLAMA_HOST=0.0.0.0: on a loopback address it refuses names that it does not know.",
			},
			Measures: measures(),
			Latency:  dependency.LatencyGauge("ollama_latency_ms", "ollama"),
		},
		Heading: "Ollama",
		Probe:   config.DefaultProbe(10*time.Second, 5*time.Second, "ignore"),
		Schemes: schemes(),
		Settings: func() dependency.Settings {
			return &Settings{Host: "localhost", Port: 11434}
		},
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{Name: "models_count", Title: "Models"},
		{Name: "models", Unit: health.UnitList, Title: "Model names"},
		{Name: "endpoint", Unit: health.UnitText},
		{Name: "status_code", Title: "HTTP status"},
		dependency.CertificateMeasure(),
	}
}
