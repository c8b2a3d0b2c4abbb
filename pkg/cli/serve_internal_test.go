package cli

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/postgres"
)

// A release that needs another schema does not inherit that the database was proven.
func TestStateIsOfOneRequiredSchema(t *testing.T) {
	t.Parallel()
	definition := func(required int64, environ ...string) string {
		t.Helper()
		kinds := dependency.Kinds{postgres.Kind(postgres.Schema{Required: required, Table: "t"})}
		cfg, _, err := config.Load(config.Options{
			Environ:  append(environ, "POD_UID=u", "HEALTH_STATE_FILE="+filepath.Join(t.TempDir(), "state")),
			Services: kinds.Services(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return restoreState(cfg, nil, slog.New(slog.DiscardHandler)).Definitions["database"]
	}
	if one := definition(1); one != definition(1) || one == definition(2) {
		t.Error("the definition of the database does not follow the schema that is required")
	}
	if off := "DATABASE_SCHEMA_CHECK=off"; definition(1, off) != definition(2, off) {
		t.Error("the required schema counts though it is not checked")
	}
}
