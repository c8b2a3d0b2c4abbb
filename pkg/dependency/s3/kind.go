package s3

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Kind returns what is known of MinIO.
func Kind() dependency.Kind {
	return dependency.Kind{
		Service: "minio",
		Heading: "MinIO",
		Probe:   config.DefaultProbe(10*time.Second, 2*time.Second, "ignore"),
		Settings: func() dependency.Settings {
			return &Settings{
				Endpoint:  "localhost:9000",
				AccessKey: config.DefaultSecret("minioadmin"),
				SecretKey: config.DefaultSecret("minioadmin"),
			}
		},
	}
}
