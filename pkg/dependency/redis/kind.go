package redis

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Kind returns what is known of Redis.
func Kind() dependency.Kind {
	return dependency.Kind{
		Service: "redis",
		Heading: "Redis",
		Probe:   config.DefaultProbe(5*time.Second, 2*time.Second, "ignore"),
		Settings: func() dependency.Settings {
			return &Settings{Host: "localhost", Port: 6379}
		},
	}
}
