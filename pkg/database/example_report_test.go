package database_test

import (
	"context"
	"fmt"

	"github.com/reims/reims-health/pkg/database"
)

// Joins and aggregates are mapped like any other columns.
func ExampleAll_joins() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		type Rent struct {
			Property string
			Tenants  []string
			Total    int
		}
		rents, err := database.All[Rent](ctx, db, `
			select p.name as property,
			       coalesce(array_agg(l.tenant order by l.tenant) filter (where l.tenant is not null), '{}') as tenants,
			       coalesce(sum(l.rent), 0) as total
			from properties p
			left join leases l on l.property_id = p.id
			where p.status = 'active'
			group by p.id
			order by total desc, property`)
		if err != nil {
			return err
		}
		for _, r := range rents {
			fmt.Println(r.Property, r.Tenants, r.Total)
		}
		return nil
	})
	// Output:
	// Harbour View [Acme Globex] 2100
	// Oak Court [Acme] 1200
	// Mill House [] 0
	// River Yard [] 0
}

// A page of search results starts behind the last row of the page before it,
// which stays right and fast however far one reads.
func ExampleAll_pagination() {
	onDatabase(func(ctx context.Context, db *database.DB) error {
		type Hit struct {
			ID   int64
			Name string
			Left int // how many hits there are from here on
		}
		search := func(text, afterName string, afterID int64) ([]Hit, error) {
			return database.All[Hit](ctx, db, `
				select id, name, count(*) over () as left
				from properties
				where strpos(lower(name), lower($1)) > 0
				  and (name, id) > ($2, $3)
				order by name, id
				limit 2`, text, afterName, afterID)
		}
		var last Hit
		for page := 1; ; page++ {
			hits, err := search("r", last.Name, last.ID)
			if err != nil {
				return err
			}
			for _, h := range hits {
				fmt.Printf("page %d: %s\n", page, h.Name)
			}
			if len(hits) == 0 || len(hits) == hits[0].Left {
				break
			}
			last = hits[len(hits)-1]
		}
		return nil
	})
	// Output:
	// page 1: Harbour View
	// page 1: Oak Court
	// page 2: River Yard
}
