package config_test

import (
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// Loading is part of the time to the first answer.
func BenchmarkLoad(b *testing.B) {
	environ := []string{"DATABASE_HOST=db", "DATABASE_PASSWORD=given-value", "REDIS_HOST=redis", "MINIO_ENDPOINT=minio:9000", "MINIO_ACCES_KEY=x"}
	for b.Loop() {
		if _, _, err := config.Load(config.Options{Services: registry.Services(), Environ: environ}); err != nil {
			b.Fatal(err)
		}
	}
}
