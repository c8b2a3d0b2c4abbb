// Package migrations holds the steps from an empty database to the REIMS schema, as
// goose reads them: NNNNN_name.sql, numbered from 1 with no gap. A step that was
// released is never changed; the next one repairs it.
package migrations

import "embed"

// Required is the oldest version of the schema that this program can work with. It
// is raised by hand when a release needs a column; steps that only harden the schema
// leave it as it is, so that the programs before and after them run side by side.
const Required = 1

// Table is the table that the first step makes.
const Table = "properties"

// FS holds the steps.
//
//go:embed *.sql
var FS embed.FS
