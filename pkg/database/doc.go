// Package database gives Go programs a PostgreSQL pool and typed queries on it:
// the programs of REIMS call it for their work, the sidecar for its probe and
// its migrations.
//
// [Open] makes a pool without dialling, [Connect] dials as well. [All], [One],
// [Value], [Exec] and [Batch] run statements on a [Querier]: the [DB] itself, a
// connection of [DB.WithConn] or a transaction of [DB.InTx]. Every statement is
// bounded by the command timeout, timed, and logged at debug level; slow ones at
// warn. The errors match [ErrDatabase] and one of [ErrConnection], [ErrQuery] and
// [ErrNotInitialised].
//
// The password and the TLS files are read at every dial, so rotating them needs
// no restart. The pool works through PgBouncer in transaction mode.
//
// The package never reads the environment (PG* variables, ~/.pgpass and service
// files have no effect), never writes arguments or passwords to a log or an error
// text, never changes a session's settings, and never repeats a statement by
// itself.
package database
