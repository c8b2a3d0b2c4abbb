package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/servers"
)

// Every PostgreSQL describes what the migrations create in the words of the snapshot.
func TestSnapshotIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../migrations/snapshot.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]int{"debian": 0, "18": 18} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{Version: version})
			got, err := snapshot(t.Context(), pg.URL())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("run make update-schema; -want +got:\n%s", diff)
			}
		})
	}
}

func TestSnapshotRefusesWhatItCannotTell(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.SQL(t.Context(), "CREATE TYPE colour AS ENUM ('red')"); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot(t.Context(), pg.URL()); err == nil {
		t.Error("a snapshot was made of a schema with an enumeration")
	}
}
