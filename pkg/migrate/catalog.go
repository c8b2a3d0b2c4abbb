package migrate

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

//go:embed catalog.sql
var catalogSQL string

// Catalog is what the migrations create, in the words of the server's own catalog.
type Catalog struct {
	Functions   []Function   `json:"functions"`
	Columns     []Column     `json:"columns"`
	Constraints []Constraint `json:"constraints"`
	Indexes     []Index      `json:"indexes"`
	Triggers    []Trigger    `json:"triggers"`
}

// Database is a live [Catalog] and what else the same statement told.
type Database struct {
	Server string `json:"server"` // such as PostgreSQL 15.2
	Schema string `json:"schema"` // that the tables are in; empty where there are none
	// Versioned says that goose's table is there. Versions are those that it records as
	// applied, nil where it is not there or the role may not read it.
	Versioned bool    `json:"versioned"`
	Versions  []int64 `json:"versions"`
	Catalog
}

// Querier runs one query: a pool, a connection or a transaction of pgx.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Version is the newest of the versions; nil where they cannot be read.
func (d *Database) Version() *int64 {
	if d.Versions == nil {
		return nil
	}
	version := newest(slices.Values(d.Versions))
	return &version
}

// ReadDatabase reads what there is of the tables and functions of those names,
// functions with the types of their arguments, in one statement that needs no right
// but to connect. What is missing is missing in the answer too.
func ReadDatabase(ctx context.Context, q Querier, tables, functions []string) (*Database, error) {
	var raw []byte
	if err := q.QueryRow(ctx, catalogSQL, pgx.QueryExecModeExec, tables, functions).Scan(&raw); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	db := new(Database)
	if err := json.Unmarshal(raw, db); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	return db, nil
}

// names are those to ask a database for.
func (c *Catalog) names() (tables, functions []string) {
	seen := make(map[string]bool)
	for _, o := range c.Columns {
		if !seen[o.Table] {
			seen[o.Table] = true
			tables = append(tables, o.Table)
		}
	}
	for _, o := range c.Functions {
		functions = append(functions, o.Name)
	}
	return tables, functions
}
