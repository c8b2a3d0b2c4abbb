package probe

import (
	"fmt"

	"github.com/reims/reims-health/pkg/health"
)

// schemaSelect extends stateSelect by the version of the schema. The table may be
// missing or unreadable, and a plain SELECT on it would fail the whole statement,
// even in a branch that is never taken; query_to_xml is planned only when it runs.
const schemaSelect = `,
       to_regclass('goose_db_version') IS NOT NULL,
       coalesce(CASE WHEN has_table_privilege(to_regclass('goose_db_version'), 'SELECT')
                     THEN substring(query_to_xml('SELECT coalesce(max(version_id), 0) AS version FROM goose_db_version WHERE is_applied',
                                                 false, false, '')::text FROM '<version>([0-9]+)</version>')::bigint
                END, -1)`

// schemaVersion is what the statement tells of the schema.
type schemaVersion struct {
	managed bool  // the table of versions is there
	current int64 // -1 when it can't be read
}

func (s *schemaVersion) dest() []any { return []any{&s.managed, &s.current} }

func (s *schemaVersion) measures(required int64) []health.Measure {
	measures := []health.Measure{health.Number("schema_required", required)}
	if s.current >= 0 {
		measures = append(measures, health.Number("schema_current", s.current))
	}
	return measures
}

// judge finds the fault of a schema that this release can't work with. A newer one
// than required is fine: it is what a rollback meets.
func (s *schemaVersion) judge(required int64) error {
	const turnOff = " (or set DATABASE_SCHEMA_CHECK=off)"
	switch {
	case s.current >= required:
		return nil
	case !s.managed:
		return &health.Fault{Reason: health.SchemaBehind, Message: "the database has no table goose_db_version that DATABASE_USER can see: " +
			"run reims-health migrate up" + turnOff}
	case s.current < 0:
		return &health.Fault{Reason: health.SchemaBehind, Message: "DATABASE_USER may not read the schema's version: " +
			"GRANT SELECT ON goose_db_version TO it" + turnOff}
	default:
		return &health.Fault{Reason: health.SchemaBehind, Message: fmt.Sprintf(
			"the schema is at version %d and this release needs %d: run reims-health migrate up", s.current, required)}
	}
}
