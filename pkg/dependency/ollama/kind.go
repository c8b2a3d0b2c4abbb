package ollama

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Kind returns what is known of Ollama.
func Kind() dependency.Kind {
	return dependency.Kind{
		Service: "ollama",
		Heading: "Ollama",
		Probe:   config.DefaultProbe(10*time.Second, 5*time.Second, "ignore"),
		Settings: func() dependency.Settings {
			return &Settings{Host: "localhost", Port: 11434}
		},
	}
}
