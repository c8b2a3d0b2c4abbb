// Package migrate applies the embedded migrations to a database, with one runner at a time. It
// also reports which migrations are applied, and compares the schema with the expected one.
//
// [Migrator] runs the migrations with goose: [Migrator.Up], [Migrator.Down], [Migrator.Status],
// and the plans of what would run. [Verify] compares a database with the embedded snapshot of
// the catalog. The migrate commands of pkg/cli call it, with a pool that they open and close.
// It never reads the environment, prints, or asks for input.
package migrate
