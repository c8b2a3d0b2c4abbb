package database_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/database"
)

// A program's life: connect at the start, work, close at the end. (The sidecar
// calls Open instead, which does not wait for the server.)
func ExampleConnect() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	db, err := database.Connect(ctx, database.Config{
		Host: server.Host(),
		Port: uint16(server.Port()),
		Name: "reims",
		User: "postgres",
		// Read again for every connection: rotate the file, and nothing need restart.
		Password: func(context.Context) (string, error) {
			password, err := os.ReadFile(server.Dir() + "/password")
			return strings.TrimSpace(string(password)), err
		},
		Environment: "development",
		MaxConns:    4,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connected")

	if err := db.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println("closed")
	// Output:
	// connected
	// closed
}

// Is the database there, and how busy is the pool?
func ExampleDB_Health() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		h, err := db.Health(ctx)
		if err != nil {
			return err // unhealthy
		}
		fmt.Println("a PostgreSQL:", strings.HasPrefix(h.Version, "PostgreSQL "))
		fmt.Println("answered in less than a minute:", h.Latency < time.Minute)
		fmt.Printf("%d of %d connections free\n", h.PoolFree, h.PoolSize)
		return nil
	})
	// Output:
	// a PostgreSQL: true
	// answered in less than a minute: true
	// 1 of 1 connections free
}

// A query gives a slice of structs: columns go to the fields of the same name.
func ExampleAll() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		type Property struct {
			ID   int64
			Name string
			City string
			Rate *float64 `db:"occupancy_rate"` // may be NULL
		}
		properties, err := database.All[Property](ctx, db,
			`select id, name, city, occupancy_rate from properties order by name`)
		if err != nil {
			return err
		}
		for _, p := range properties {
			if p.Rate == nil {
				fmt.Println(p.ID, p.Name, p.City, "unknown")
				continue
			}
			fmt.Println(p.ID, p.Name, p.City, *p.Rate)
		}
		return nil
	})
	// Output:
	// 1 Harbour View Boston 92.5
	// 2 Mill House Boston 71
	// 3 Oak Court Denver 88
	// 4 Pine Plaza Denver unknown
	// 5 River Yard Austin 64
}

// Filters are arguments, never text put together: a nil one does not filter.
func ExampleAll_filters() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		type Property struct{ Name, City string }
		find := func(cities []string, status *string, minRate float64) ([]Property, error) {
			return database.All[Property](ctx, db, `
				select name, city
				from properties
				where (cardinality($1::text[]) = 0 or city = any($1))
				  and ($2::text is null or status = $2)
				  and occupancy_rate >= $3
				order by name`, cities, status, minRate)
		}
		active := "active"
		properties, err := find([]string{"Boston", "Denver"}, &active, 80)
		if err != nil {
			return err
		}
		fmt.Println(properties)

		properties, err = find([]string{}, nil, 0)
		if err != nil {
			return err
		}
		fmt.Println(len(properties), "with a known rate")
		return nil
	})
	// Output:
	// [{Harbour View Boston} {Oak Court Denver}]
	// 4 with a known rate
}

// A single value: a count, a sum, or whether something exists.
func ExampleValue() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		count, err := database.Value[int](ctx, db, `select count(*) from properties where city = $1`, "Boston")
		if err != nil {
			return err
		}
		fmt.Println(count)

		known, err := database.Value[bool](ctx, db, `select exists (select from leases where tenant = $1)`, "Initech")
		if err != nil {
			return err
		}
		fmt.Println(known)
		return nil
	})
	// Output:
	// 2
	// false
}
