// Package registry lists the kinds of dependencies that this program knows. To add one
// is a folder beside it and a line here: see docs/adding-a-kind.md.
package registry

import (
	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/health"
)

// Kinds returns every kind, in the order in which readers are shown their services.
func Kinds() []dependency.Kind {
	return []dependency.Kind{
		postgres.Kind(postgres.Schema{Required: migrations.Required, Table: migrations.Table}),
		redis.Kind(),
		s3.Kind(),
		ollama.Kind(),
	}
}

// Described returns what readers are told of each kind.
func Described() []*health.Kind {
	var kinds []*health.Kind
	for _, k := range Kinds() {
		kinds = append(kinds, &k.Kind)
	}
	return kinds
}

// KindOf returns the kind of which the service of that name has always been, or nil.
func KindOf(service string) *health.Kind {
	for _, k := range Described() {
		if k.Service == service {
			return k
		}
	}
	return nil
}

// Services returns the service of each kind with its default settings, for
// [config.Load]. Each call returns services of its own.
func Services() []*config.Service {
	var services []*config.Service
	for _, k := range Kinds() {
		services = append(services, &config.Service{
			Name: k.Service, Heading: k.Heading, Settings: k.Settings(), Probe: k.Probe,
		})
	}
	return services
}
