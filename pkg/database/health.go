package database

import (
	"context"
	"strings"
	"time"
)

// Health is what a health check saw.
type Health struct {
	Latency  time.Duration // of one statement, with the wait for its connection
	Database string
	Version  string // "PostgreSQL 15.2"

	// The pool's connections after the check gave its own back. Those being dialled
	// count in PoolSize alone.
	PoolSize, PoolFree, PoolActive int32
}

// Health asks the server for its version. An error means that a program could not
// work with the database now.
func (db *DB) Health(ctx context.Context) (Health, error) {
	type server struct{ Database, Version string }
	start := time.Now()
	s, err := One[server](ctx, db, `select current_database() as database, current_setting('server_version') as version`)
	if err != nil {
		return Health{}, err
	}
	latency := time.Since(start)
	stat := db.pool.Stat()
	number, _, _ := strings.Cut(s.Version, " ") // of "15.14 (Debian 15.14-0+deb12u1)"
	return Health{
		Latency:    latency,
		Database:   s.Database,
		Version:    "PostgreSQL " + number,
		PoolSize:   stat.TotalConns(),
		PoolFree:   stat.IdleConns(),
		PoolActive: stat.AcquiredConns(),
	}, nil
}
