package migrate

import (
	"fmt"
	"strings"
	"time"
)

// A role, a database or the server can change the default of every setting, and a
// connection starts with those. pins are the settings that the meaning of our
// statements, the reading of their answers, or the comparison of the catalog depend
// on. Left alone are search_path, role and the defaults of where and how tables are
// stored, which are the owner's to choose, and what only changes speed or logs.
//
// docs/decisions/0020-settings-and-history.md has the list with the reasons.
func pins(o Options, all bool) [][2]string {
	p := [][2]string{
		// How values, and definitions in the catalog, are written and read.
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"extra_float_digits", "1"},
		{"bytea_output", "hex"},
		{"quote_all_identifiers", "off"},
		{"client_encoding", "UTF8"},
		{"xmlbinary", "base64"},
		{"xmloption", "content"},
		// How statements are read.
		{"standard_conforming_strings", "on"},
		{"backslash_quote", "safe_encoding"},
		{"array_nulls", "on"},
		{"transform_null_equals", "off"},
		{"check_function_bodies", "on"},
		// What transactions may do, and how they end.
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{replicationRole, "origin"},
		{"exit_on_error", "off"},
		{"lock_timeout", milliseconds(o.LockTimeout)},
		{"statement_timeout", milliseconds(o.StatementTimeout)},
		{"idle_in_transaction_session_timeout", milliseconds(idleInTransaction)},
		{"idle_session_timeout", "0"},
		{"transaction_timeout", "0"},
	}
	// Rows that a policy hides would be left out without a word: off makes that an error.
	// It is on where what the role may see is enough.
	if all {
		return append(p, [2]string{"row_security", "off"})
	}
	return append(p, [2]string{"row_security", "on"})
}

// replicationRole is the only setting of a superuser among those.
const replicationRole = "session_replication_role"

// idleInTransaction ends a runner that hangs, which would hold its locks for ever.
const idleInTransaction = time.Minute

// pinSQL sets what differs. The server may not know some of the settings, and a role
// may lack the right to change that of a superuser: both are left out. It reads no table
// or view, on which a right could be missing. No value has a quote or a backslash, so the
// statement means the same under every setting.
func pinSQL(pins [][2]string, local bool) string {
	rows := make([]string, len(pins))
	for i, p := range pins {
		rows[i] = fmt.Sprintf("('%s', '%s')", strings.ToLower(p[0]), p[1])
	}
	return fmt.Sprintf(`SELECT count(pg_catalog.set_config(v.name, v.value, %t)) FROM (VALUES %s) v (name, value)
	WHERE pg_catalog.current_setting(v.name, true) <> v.value
	  AND (v.name <> '%s' OR pg_catalog.has_parameter_privilege(v.name, 'SET'))`,
		local, strings.Join(rows, ", "), replicationRole)
}

// beginReading begins a transaction that only reads, with the settings pinned for it
// alone: a pooler that gives each transaction another session takes that. All of it is
// one message, so that no limit on an idle transaction comes between.
func beginReading(o Options, all bool) string {
	return "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE; " + pinSQL(pins(o, all), true)
}
