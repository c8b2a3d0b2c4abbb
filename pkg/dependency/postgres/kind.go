package postgres

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// Kind returns what is known of PostgreSQL, for databases whose schema must be that one.
func Kind(schema Schema) dependency.Kind {
	return dependency.Kind{
		Service: "database",
		Heading: "PostgreSQL",
		Probe:   config.DefaultProbe(5*time.Second, 2*time.Second, "strict"),
		Settings: func() dependency.Settings {
			return &Settings{
				Host: "localhost", Port: 5432, Name: "reims", User: "postgres",
				SchemaCheck: true, AppConnections: true,
				schema: schema,
			}
		},
		Targets: []dependency.Target{{
			Name: "schema",
			Help: "the database's schema is not older than this release needs; with DATABASE_SCHEMA_CHECK=off only where it is asked for",
			Default: func(s dependency.Settings) bool {
				settings, ok := s.(*Settings)
				return ok && bool(settings.SchemaCheck)
			},
			State: schemaState,
		}},
	}
}

// schemaState judges the schema alone: on a standby it is as good as on a primary.
func schemaState(r health.Result) (there bool, text string) {
	current, read := r.Last.Observation.Find("schema_current")
	required, asked := r.Last.Observation.Find("schema_required")
	switch {
	case read && asked && current >= required:
		return true, ""
	case r.Reason() == health.SchemaBehind:
		return false, r.Message()
	default:
		return false, ""
	}
}
