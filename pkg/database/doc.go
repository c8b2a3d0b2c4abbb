// Package database is a pool of PostgreSQL connections with typed queries. The programs
// of REIMS use it for their work, and the sidecar for its check of PostgreSQL and its
// migrations.
//
// [Open] makes a pool without connecting, [Connect] also connects. [All], [One],
// [Value], [Exec] and [Batch] run statements on a [Querier]: the [DB] itself, a
// connection of [DB.WithConn] or a transaction of [DB.InTx]. Every statement is
// bounded by the command timeout, timed, and logged at debug level; slow ones at
// warn. The errors match [ErrDatabase] and one of [ErrConnection], [ErrQuery] and
// [ErrNotInitialised].
//
// The password and the TLS files are read for every new connection, so rotating them
// needs no restart. The pool works through PgBouncer in transaction mode.
//
// The package never reads the environment (PG* variables, ~/.pgpass and service
// files have no effect), never writes arguments or passwords to a log or an error
// text, never changes a session's settings, and never repeats a statement by itself.
package database
