package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	peers "github.com/reims/reims-health/test/fleet"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// fleet is sidecars that are peers of each other, each with a detour of its own to the
// database.
type fleet struct {
	t        *testing.T
	sidecars []*sidecar
	relays   []*relay.Relay
}

// startFleet starts n sidecars, and returns when all are ready.
func startFleet(t *testing.T, n int, target string, vars []servers.Var) *fleet {
	t.Helper()
	members, err := peers.New(t.Context(), n, target)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t}
	for _, m := range members {
		t.Cleanup(m.Wire.Close)
		f.relays = append(f.relays, m.Wire)
	}
	for _, m := range members {
		f.sidecars = append(f.sidecars, startSidecar(t, append(slices.Clip(vars), m.Vars...)...))
	}
	for _, s := range f.sidecars {
		s.await("/health/ready", confirmed, func(a answer) bool { return a.code == 200 })
	}
	return f
}

// scoped waits until each of the sidecars says whose the database's fault is.
func (f *fleet) scoped(scope string, which ...*sidecar) {
	f.t.Helper()
	for _, s := range which {
		poll.Within(f.t, time.Minute, "the fault is "+scope, func() bool {
			return strings.Contains(s.get("/health/database").body, `"fault_scope":"`+scope+`"`)
		})
	}
}

// stayReady asks all the time, until it is told to stop, whether each sidecar is ready.
func (f *fleet) stayReady(which ...*sidecar) (stop func()) {
	var stops []func()
	for _, s := range which {
		stops = append(stops, s.watch(false, func(answer) error {
			a, err := s.fetch(http.MethodGet, s.health+"/health/ready")
			if err == nil && a.code != http.StatusOK {
				err = fmt.Errorf("/health/ready: %d %s", a.code, a.body)
			}
			return err
		}))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// A server that is away for everybody takes no sidecar out of the Service; a wire that is
// cut takes out just the one behind it. All of it is undone when the fault is.
func TestPeers(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	f := startFleet(t, 4, pg.Addr(), pg.Env())
	all := f.sidecars

	stop := f.stayReady(all...)
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	f.scoped("shared", all...)
	for _, s := range all {
		if a := s.get("/health"); a.code != 503 {
			t.Errorf("/health while held: %d %s", a.code, a.body)
		}
		if a := s.get("/health/ready"); !strings.Contains(a.body, `"held":true`) || !strings.Contains(a.body, "peers see it too") {
			t.Errorf("/health/ready while held: %s", a.body)
		}
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		s.await("/health", time.Minute, func(a answer) bool { return a.healthy("database") })
	}
	stop()

	one, others := all[0], all[1:]
	stop = f.stayReady(others...)
	f.relays[0].To("127.0.0.1:1") // nothing listens there
	one.await("/health/ready", time.Minute, func(a answer) bool { return a.code == 503 })
	f.scoped("local", one)
	if a := one.get("/health/ready"); !strings.Contains(a.body, "the fault is this Pod's own: 0 of 3 peers see it too") {
		t.Errorf("/health/ready: %s", a.body)
	}
	f.relays[0].To(pg.Addr())
	one.await("/health/ready", time.Minute, func(a answer) bool { return a.code == 200 })
	stop()
}
