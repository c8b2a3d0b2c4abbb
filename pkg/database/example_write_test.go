package database_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/database"
)

// Insert a row and get back what the database made of it.
func ExampleOne_insert() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		type Created struct {
			ID     int64
			Status string
		}
		created, err := database.One[Created](ctx, db,
			`insert into properties (name, city, occupancy_rate) values ($1, $2, $3) returning id, status`,
			"Elm Gardens", "Austin", 97.5)
		if err != nil {
			return err
		}
		fmt.Println(created.ID, created.Status)

		// The same name again. The error names the rule, never the values.
		_, err = database.Exec(ctx, db, `insert into properties (name, city) values ($1, $2)`, "Elm Gardens", "Reno")
		var dbErr *database.Error
		fmt.Println(errors.Is(err, database.ErrQuery), errors.As(err, &dbErr) && dbErr.Code == "23505")
		fmt.Println(err)
		return nil
	})
	// Output:
	// 6 active
	// true true
	// exec: ERROR: duplicate key value violates unique constraint "properties_name_key" (SQLSTATE 23505)
}

// Update rows and learn how many there were.
func ExampleExec_update() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		updated, err := database.Exec(ctx, db,
			`update properties set status = $1 where city = $2 and status = 'active'`, "under_renovation", "Boston")
		if err != nil {
			return err
		}
		fmt.Println(updated, "updated")
		return nil
	})
	// Output:
	// 2 updated
}

// Delete a row. None deleted is no error.
func ExampleExec_delete() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		for range 2 {
			deleted, err := database.Exec(ctx, db, `delete from properties where name = $1`, "Pine Plaza")
			if err != nil {
				return err
			}
			fmt.Println(deleted, "deleted")
		}
		return nil
	})
	// Output:
	// 1 deleted
	// 0 deleted
}

// All of a transaction's statements take effect, or none.
func ExampleDB_InTx() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		errTooLow := errors.New("rent is too low")
		move := func(tenant, from, to string, rent int) error {
			return db.InTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
				_, err := database.Exec(ctx, tx, `
					delete from leases using properties
					where id = property_id and tenant = $1 and name = $2`, tenant, from)
				if err != nil {
					return err
				}
				if rent < 1000 {
					return errTooLow // and the lease is still there
				}
				_, err = database.Exec(ctx, tx, `
					insert into leases select id, $1, $2 from properties where name = $3`, tenant, rent, to)
				return err
			})
		}
		fmt.Println(move("Globex", "Harbour View", "Mill House", 800))
		fmt.Println(move("Globex", "Harbour View", "Mill House", 1100))

		where, err := database.Value[string](ctx, db,
			`select name from properties join leases on property_id = id where tenant = $1`, "Globex")
		if err != nil {
			return err
		}
		fmt.Println(where)
		return nil
	})
	// Output:
	// rent is too low
	// <nil>
	// Mill House
}

// Many statements in one round trip, and one transaction.
func ExampleBatch() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		batch := &pgx.Batch{}
		for _, name := range []string{"North Gate", "South Gate"} {
			batch.Queue(`insert into properties (name, city) values ($1, $2)`, name, "Reno")
		}
		batch.Queue(`select count(*) from properties`).QueryRow(func(row pgx.Row) error {
			var count int
			err := row.Scan(&count)
			fmt.Println(count, "properties")
			return err
		})
		if err := database.Batch(ctx, db, batch); err != nil {
			return err
		}
		return nil
	})
	// Output:
	// 7 properties
}
