package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// versionTable is goose's; it does not collide with the predecessor's.
const versionTable = goose.DefaultTablename

// history is what the version table says.
type history struct {
	exists  bool
	applied map[int64]time.Time
}

// readHistory creates nothing, unlike goose's Status.
func readHistory(ctx context.Context, q database.DBTxConn) (history, error) {
	h := history{applied: make(map[int64]time.Time)}
	err := q.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&h.exists)
	if err != nil || !h.exists {
		return h, wrapRead(err)
	}
	rows, err := q.QueryContext(ctx, "SELECT version_id, tstamp FROM "+versionTable+" WHERE is_applied AND version_id > 0")
	if err != nil {
		return h, wrapRead(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return h, wrapRead(err)
		}
		h.applied[version] = at
	}
	return h, wrapRead(rows.Err())
}

func wrapRead(err error) error {
	if err != nil {
		return fmt.Errorf("read %s: %w", versionTable, err)
	}
	return nil
}

// current is the newest version that was applied; 0 for none.
func (h history) current() int64 {
	var newest int64
	for version := range h.applied {
		newest = max(newest, version)
	}
	return newest
}

// createVersionTable makes the table as goose would, which would do it outside of the
// lock and try three times.
func createVersionTable(ctx context.Context, tx *sql.Tx) error {
	store, err := database.NewStore(goose.DialectPostgres, versionTable)
	if err == nil {
		err = store.CreateVersionTable(ctx, tx)
	}
	if err == nil {
		err = store.Insert(ctx, tx, database.InsertRequest{Version: 0})
	}
	return err
}

// record notes that a version was applied.
func record(ctx context.Context, tx *sql.Tx, version int64) error {
	store, err := database.NewStore(goose.DialectPostgres, versionTable)
	if err == nil {
		err = store.Insert(ctx, tx, database.InsertRequest{Version: version})
	}
	return err
}
