package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/health"
)

// schemaName is the name of schemaPart.
const schemaName = "schema_current"

// schemaPart reads the version of the schema: the newest that the table records, or, if
// one of those up to required is missing, the one before that. The newest row of each
// version counts, since older releases of goose add one for each step down as well. The
// table may be missing or unreadable, where a plain SELECT on it would fail, even in a
// branch that is never taken; query_to_xml is planned only when it runs.
func schemaPart(o Options) part {
	const applied = `WITH applied AS (
    SELECT version_id FROM (
        SELECT DISTINCT ON (version_id) version_id::pg_catalog.int8, is_applied::pg_catalog.bool FROM goose_db_version AS g
         ORDER BY version_id, (pg_catalog.to_jsonb(g) OPERATOR(pg_catalog.->>) ''id'')::pg_catalog.int8 DESC NULLS LAST, is_applied DESC) AS latest
     WHERE is_applied)
SELECT coalesce(pg_catalog.max(version_id), 0) AS newest,
       coalesce((SELECT pg_catalog.min(r) OPERATOR(pg_catalog.-) 1 FROM pg_catalog.generate_series(1::pg_catalog.int8, %d) AS r
                  WHERE NOT EXISTS (SELECT FROM applied WHERE version_id OPERATOR(pg_catalog.=) r)),
                pg_catalog.max(version_id), 0) AS version
  FROM applied`
	const sql = `SELECT pg_catalog.to_regclass('goose_db_version') IS NOT NULL,
       coalesce(pg_catalog.substring(x, '<version>([0-9]+)</version>')::pg_catalog.int8, -1),
       coalesce(pg_catalog.substring(x, '<newest>([0-9]+)</newest>')::pg_catalog.int8, -1),
       %s,
       CASE WHEN pg_catalog.to_regclass('goose_db_version') IS NULL AND pg_catalog.has_table_privilege('pg_catalog.pg_class', 'SELECT')
            THEN pg_catalog.substring(pg_catalog.query_to_xml('SELECT relkind AS found FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.=) ''goose_db_version''',
                                                              false, false, '')::pg_catalog.text, '<found>(r)</found>') IS NOT NULL
            ELSE false END
  FROM (SELECT CASE WHEN pg_catalog.has_table_privilege(pg_catalog.to_regclass('goose_db_version'), 'SELECT')
                    THEN pg_catalog.query_to_xml('%s', false, false, '')::pg_catalog.text END AS x) AS answer`
	there := "true"
	if o.SchemaTable != "" {
		there = "pg_catalog.to_regclass('" + strings.ReplaceAll(o.SchemaTable, "'", "''") + "') IS NOT NULL"
	}
	return part{
		name: schemaName,
		sql:  fmt.Sprintf(sql, there, fmt.Sprintf(applied, o.RequiredSchema)),
		scan: func(s *state, a *answer) {
			s.schema = &schemaVersion{managed: a.flag(), current: a.number(), newest: a.number(), there: a.flag(), elsewhere: a.flag()}
			if !s.schema.there { // versions without the table are another program's
				s.schema.current = min(s.schema.current, 0)
			}
		},
	}
}

// lockPart looks for a lock that a reader of the table or of its indexes would wait
// for, held or asked for: one that waits itself is in front of us in the queue. It
// takes no lock that they conflict with.
func lockPart() part {
	return part{
		name: "who locks the schema's version",
		sql: `SELECT coalesce(l.pid, 0)
  FROM pg_catalog.pg_locks AS l
 WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'
   AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
   AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                                           WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
   AND l.relation OPERATOR(pg_catalog.=) ANY (
       SELECT pg_catalog.to_regclass('goose_db_version')::pg_catalog.oid
        UNION ALL
       SELECT i.indexrelid FROM pg_catalog.pg_index AS i
        WHERE i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('goose_db_version')::pg_catalog.oid)
 ORDER BY l.granted DESC
 LIMIT 1`,
		scan: func(s *state, a *answer) {
			s.lock = new(tableLock)
			if !a.none() {
				s.lock.held, s.lock.pid = true, a.number()
			}
		},
	}
}

// tableLock is the lock that keeps the version from being read.
type tableLock struct {
	held bool
	pid  int64 // of the server process; 0 for a prepared transaction
}

// schemaVersion is what the server tells of the schema.
type schemaVersion struct {
	managed bool  // the table of versions is there
	current int64 // -1 when it can't be read
	newest  int64 // the newest version that is recorded, whatever is missing before it
	there   bool  // the table that the first step makes is there, or was not asked for
	// elsewhere says that there is a table of versions that search_path does not lead to.
	elsewhere bool

	lock    *tableLock // who locks it, where it is locked and that is known
	locked  error      // the server's refusal, because the table is locked
	refused error      // any other refusal
}

// schemaWatch remembers, from one check to the next, that the table was locked, and
// the version read last.
type schemaWatch struct {
	locked error // what the server said when it was found locked; nil where it is not
	last   *int64
	// suffices is what was read at a time, where the version sufficed: it is most of a check's
	// bytes, and goes back by hand alone. Nil: it is read in the next check.
	suffices *schemaVersion
	read     time.Time
}

// refused takes the refusal of the parts that ask for the schema. They are asked for
// again in the next check, because the verdict hangs on them.
func (w *schemaWatch) refused(s *state, part part, err error) bool {
	server, _ := errors.AsType[*pgconn.PgError](err)
	switch part.name {
	case schemaName:
		s.schema = &schemaVersion{managed: true, current: -1, refused: err}
		if server != nil && server.Code == codeLockTimeout {
			s.schema.locked, s.schema.refused = err, nil
		}
		return true
	case lockPart().name:
		return true
	default:
		return false
	}
}

// askSchema sends parts and one that reads the version. Where the last check found the
// table locked, the one that looks for the lock comes first, so that checks do not
// wait for it one after the other.
func (p *Checker) askSchema(ctx context.Context, conn *pgx.Conn, s *state, parts []part) error {
	w := &p.schema
	if w.suffices != nil && time.Since(w.read) < p.opts.SchemaInterval {
		s.schema = w.suffices
		return p.answer(ctx, conn, s, parts)
	}
	w.suffices = nil
	if w.locked != nil {
		if err := p.answer(ctx, conn, s, append(parts, lockPart())); err != nil {
			return err
		}
		if s.lock != nil && s.lock.held {
			s.schema = &schemaVersion{managed: true, current: -1, lock: s.lock, locked: w.locked}
			return nil
		}
		parts = nil
	}
	if err := p.answer(ctx, conn, s, append(parts, schemaPart(p.opts))); err != nil {
		return err
	}
	w.locked = s.schema.locked
	if w.locked != nil && s.lock == nil {
		if err := p.answer(ctx, conn, s, []part{lockPart()}); err != nil {
			return err
		}
	}
	s.schema.lock = s.lock
	if s.schema.current >= 0 {
		w.last = &s.schema.current
	}
	if s.schema.current >= p.opts.RequiredSchema {
		w.suffices, w.read = s.schema, time.Now()
	}
	return nil
}

func (s *schemaVersion) measures(required int64) []health.Value {
	measures := []health.Value{health.Number("schema_required", required)}
	if s.current >= 0 {
		measures = append(measures, health.Number("schema_current", s.current))
	}
	return measures
}

// judge finds the fault of a schema that this release can't work with. A newer one
// than required is fine: it is what a rollback meets.
func (s *schemaVersion) judge(required int64, last *int64) error {
	const turnOff = " (or set {SCHEMA_CHECK}=off)"
	switch {
	case s.current >= required:
		return nil
	case s.locked != nil:
		return &health.Fault{Reason: ReasonSchemaBehind, Err: s.locked, Message: s.lockMessage(required, last)}
	case s.refused != nil:
		return &health.Fault{Reason: ReasonSchemaBehind, Err: s.refused, Message: "the schema's version can't be read: " +
			refusalOf(s.refused) + "; the sidecar's log has the server's own words" + turnOff}
	case !s.managed && s.elsewhere:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: "there is a table goose_db_version in another schema, and search_path of {USER} does not lead there: " +
			"ALTER ROLE … SET search_path, or run reims-health migrate up where that table is not this program's" + turnOff}
	case !s.managed:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: "the database has no table goose_db_version that {USER} can see: " +
			"run reims-health migrate up" + turnOff}
	case s.current < 0:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: "{USER} may not read the schema's version: " +
			"GRANT SELECT ON goose_db_version TO it" + turnOff}
	case s.newest > 0 && !s.there:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: fmt.Sprintf(
			"the table goose_db_version records version %d, and {USER} can see no table of this program: the versions may be another program's: "+
				"run reims-health migrate status", s.newest) + turnOff}
	case s.newest > s.current:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: fmt.Sprintf(
			"the table goose_db_version records version %d, and not version %d, which this release needs: it may be another program's: "+
				"run reims-health migrate status", s.newest, s.current+1) + turnOff}
	default:
		return &health.Fault{Reason: ReasonSchemaBehind, Message: fmt.Sprintf(
			"the schema is at version %d and this release needs %d: run reims-health migrate up", s.current, required)}
	}
}

// lockMessage says who locks the table. The process's number is enough for
// pg_stat_activity, and tells nothing of who works with the database.
func (s *schemaVersion) lockMessage(required int64, last *int64) string {
	message := "the schema's version can't be read: another session locks the table goose_db_version (ACCESS EXCLUSIVE)"
	switch {
	case s.lock == nil || !s.lock.held:
	case s.lock.pid == 0:
		message += "; a prepared transaction does, see pg_prepared_xacts"
	default:
		message += fmt.Sprintf("; its process is %d, see pg_stat_activity", s.lock.pid)
	}
	if last != nil && *last >= required {
		message += fmt.Sprintf(". It was %d when it was last read, which is enough", *last)
	}
	return message
}

// refusalOf says why the server refused to read the version.
func refusalOf(err error) string {
	server, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return "its answer makes no sense"
	case server.Code == "42501":
		return "{USER} lacks a right on the table or on the functions that read it (SQLSTATE 42501)"
	case isSQLSTATE(server.Code):
		return "the server refused to read the table goose_db_version, which may be another program's (SQLSTATE " + server.Code + ")"
	default:
		return "the server refused to read the table goose_db_version"
	}
}
