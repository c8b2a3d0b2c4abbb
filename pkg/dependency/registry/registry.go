// Package registry lists the kinds of dependencies of this program, for its main package. To
// add a kind, add a folder beside this one and a line here: see docs/adding-a-kind.md.
// It never opens a connection.
package registry

import (
	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/grpc"
	"github.com/reims/reims-health/pkg/dependency/http"
	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/dependency/tcp"
)

// Kinds returns every kind, in the order in which readers see their services.
func Kinds() dependency.Kinds {
	return dependency.Kinds{
		postgres.Kind(postgres.Schema{Required: migrations.Required, Table: migrations.Table}),
		redis.Kind(),
		s3.Kind(),
		ollama.Kind(),
		http.Kind(),
		tcp.Kind(),
		grpc.Kind(),
	}
}
