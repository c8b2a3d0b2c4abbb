package migrate

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotMigrated says that a database holds nothing of the schema.
var ErrNotMigrated = errors.New("it holds nothing of the schema yet: run reims-health migrate up")

// Report is what [Verify] found.
type Report struct {
	Server string `json:"server"`
	// Version is the database's version of the schema, nil where it cannot be read;
	// Latest is the one that the database was compared with.
	Version *int64 `json:"version"`
	Latest  int64  `json:"latest"`
	// Managed says that there is a table of versions at all.
	Managed     bool         `json:"managed"`
	Counts      []Count      `json:"counts"`
	Differences []Difference `json:"differences"`
}

// Verify holds a database against the snapshot of the embedded migrations. It reads
// the catalog in one statement, and writes nothing. The error matches
// [ErrNotMigrated] where there is nothing to compare.
func Verify(ctx context.Context, q Querier) (*Report, error) {
	want, err := EmbeddedSnapshot()
	if err != nil {
		return nil, err
	}
	tables, functions := want.names()
	have, err := ReadDatabase(ctx, q, tables, functions)
	if err != nil {
		return nil, err
	}
	if have.Schema == "" {
		return nil, ErrNotMigrated
	}
	r := &Report{
		Server:      have.Server,
		Version:     have.Version,
		Latest:      want.Version,
		Managed:     have.Versioned,
		Counts:      want.counts(&have.Catalog, have.Schema),
		Differences: want.Compare(&have.Catalog, have.Schema),
	}
	r.leaveToMigrations()
	return r, nil
}

// leaveToMigrations takes out the SQL that would be in the way of a migration that
// is pending.
func (r *Report) leaveToMigrations() {
	version := r.Latest - r.Pending()
	for i := range r.Differences {
		if d := &r.Differences[i]; d.since > version {
			d.Problem += fmt.Sprintf(" (migration %d is pending)", d.since)
			d.SQL = []string{}
		}
	}
}

// Pending returns how many migrations the database lacks.
func (r *Report) Pending() int64 {
	switch {
	case !r.Managed:
		return r.Latest
	case r.Version == nil:
		return 0
	default:
		return max(r.Latest-*r.Version, 0)
	}
}

// Drift returns the differences that count: without strict not those that are only
// something extra.
func (r *Report) Drift(strict bool) []Difference {
	var drift []Difference
	for _, d := range r.Differences {
		if strict || !d.Extra {
			drift = append(drift, d)
		}
	}
	return drift
}

// Err says what keeps the database from being verified, or is nil.
func (r *Report) Err(strict bool) error {
	drift := len(r.Drift(strict))
	switch {
	case !r.Managed:
		return errors.New("the tables are there and the table goose_db_version is not: " +
			"reims-health migrate up takes them under management")
	case r.Pending() > 0:
		return plural(r.Pending(), "migration is", "migrations are", " pending: run reims-health migrate up")
	case drift > 0:
		return plural(int64(drift), "difference", "differences", " from the schema of the migrations")
	default:
		return nil
	}
}
