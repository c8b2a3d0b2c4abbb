// Package migrate brings a database to the schema of the embedded migrations, one
// runner at a time, and says how far it is and what differs.
//
// [Migrator] runs the steps with goose: [Migrator.Up], [Migrator.Down],
// [Migrator.Status], and the plans of what would run. [Verify] compares a database
// with the embedded snapshot of the catalog. Commands call it, with a pool that they
// open and close; it never reads the environment, prints, or asks.
package migrate
