package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// names is a resolver that knows one answer.
type names []string

func (n names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if n == nil {
		return nil, errors.New("no such host")
	}
	var all []netip.Addr
	for _, name := range n {
		all = append(all, netip.MustParseAddr(name))
	}
	return all, nil
}

// Peers are the addresses of this Pod's family, with the port of the name or our own, and
// without this Pod.
func TestDirectoryFinds(t *testing.T) {
	t.Parallel()
	self4, self6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	both := names{"10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "::ffff:10.0.0.3", "10.0.0.2"}
	for _, tt := range []struct {
		name string
		self netip.Addr
		told names
		want []string
	}{
		{"peers.test", self4, both, []string{"10.0.0.2:8008", "10.0.0.3:8008"}},
		{"peers.test", self6, both, []string{"[fd00::2]:8008"}},
		{"peers.test:99", self4, both, []string{"10.0.0.2:99", "10.0.0.3:99"}},
		{"peers.test", netip.Addr{}, names{"10.0.0.1", "fd00::2"}, []string{"10.0.0.1:8008", "[fd00::2]:8008"}},
		{"peers.test", self4, names{"10.0.0.1"}, nil},
		{"peers.test", self4, names{"fd00::2"}, []string{"an error"}},
		{"peers.test", self4, nil, []string{"an error"}},
	} {
		d := newDirectory(Options{Names: []string{tt.name}, Port: "8008", Self: tt.self, Resolver: tt.told})
		found, err := d.find(t.Context())
		if err == nil {
			err = d.setList(found, epoch)
		}
		got := d.listed
		if err != nil {
			got = []string{"an error"}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s from %s: %q, want %q", tt.name, tt.self, got, tt.want)
		}
	}
	fixed := newDirectory(Options{Names: []string{"10.0.0.1", "10.0.0.2", "other.test:99", "[fd00::2]"}, Port: "8008", Self: self4})
	if want := []string{"10.0.0.2:8008", "[fd00::2]:8008", "other.test:99"}; !slices.Equal(fixed.listed, want) {
		t.Errorf("the list %q, want %q", fixed.listed, want)
	}
}

// All are asked once, in some order, before one is asked again, while the list changes.
func TestDirectoryWalks(t *testing.T) {
	t.Parallel()
	d := newDirectory(Options{Names: []string{"peers.test"}, Port: "8008"})
	list := func(from, to int) (all []string) {
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf("10.0.0.%d:8008", i))
		}
		return all
	}
	mustFind(t, d, epoch, list(1, 51)...)
	d.markSelf("10.0.0.1:8008")
	for range 10 {
		var walked []string
		for range 7 {
			walked = append(walked, d.next(7)...)
		}
		slices.Sort(walked)
		if walked = slices.Compact(walked); len(walked) != 49 || slices.Contains(walked, "10.0.0.1:8008") {
			t.Fatalf("%d of 49 peers were asked", len(walked))
		}
	}
	if n := len(d.next(1000)); n != 49 {
		t.Errorf("%d at once of 49", n)
	}
	mustFind(t, d, epoch, list(40, 61)...)
	walked := slices.Concat(d.next(10), d.next(21)) // the new ones first, then all
	slices.Sort(walked)
	if walked = slices.Compact(walked); len(walked) != 21 || walked[0] < "10.0.0.40" {
		t.Errorf("%q of a new list", walked)
	}
	if len(d.selfAddresses) != 0 {
		t.Error("an address that has gone is kept as ours")
	}
}

func mustFind(t *testing.T, d *directory, at time.Time, addresses ...string) {
	t.Helper()
	if err := d.setList(addresses, at); err != nil {
		t.Fatal(err)
	}
}

// A list that lacks this Pod, which an earlier one had, is another name's.
func TestDirectoryRefusesAForeignList(t *testing.T) {
	t.Parallel()
	d := newDirectory(Options{Names: []string{"peers.test"}, Port: "8008", Self: netip.MustParseAddr("10.0.0.1")})
	mustFind(t, d, epoch, "10.0.0.2:8008") // the own address may be listed later
	mustFind(t, d, epoch, "10.0.0.1:8008", "10.0.0.2:8008")
	if err := d.setList([]string{"192.0.2.7:8008"}, epoch); err == nil {
		t.Error("a list without this Pod is taken")
	}
	if want := []string{"10.0.0.2:8008"}; !slices.Equal(d.listed, want) || !d.at.Equal(epoch) {
		t.Errorf("%q after it, want %q", d.listed, want)
	}
}

// The last good list serves for five minutes; it says for 30 s that there are no others.
func TestDirectoryForgets(t *testing.T) {
	t.Parallel()
	d := newDirectory(Options{Names: []string{"peers.test"}, Port: "8008", Self: netip.MustParseAddr("10.0.0.1")})
	if got := d.fleet(epoch); got != (Fleet{}) {
		t.Errorf("%+v before any lookup", got)
	}
	mustFind(t, d, epoch, "10.0.0.1:8008", "10.0.0.2:8008")
	for age, want := range map[time.Duration]Fleet{
		0: {1, true}, 30*time.Second - 1: {1, true}, 30 * time.Second: {1, false}, 5 * time.Minute: {1, false},
	} {
		if got := d.fleet(epoch.Add(age)); got != want {
			t.Errorf("%+v after %s, want %+v", got, age, want)
		}
	}
	if got := d.fleet(epoch.Add(5*time.Minute + 1)); got != (Fleet{}) || len(d.next(1)) != 0 {
		t.Errorf("%+v of a list that is too old", got)
	}
}

// What is stale says nothing of the service, though its latest check went well.
func TestStalePeerIsNoEvidence(t *testing.T) {
	t.Parallel()
	r := broken(epoch.Add(-time.Hour), epoch.Add(-time.Hour)).Next(health.Outcome{Started: epoch, Finished: epoch})
	for age, want := range map[time.Duration]verdict{12 * time.Second: sound, 12*time.Second + 1: none} {
		now := epoch.Add(age)
		a, err := decode(appendAnswer(nil, "X", health.NewView(now, []health.Result{r}, health.NoOverride, false), now))
		if got := verdictFor(a.services["database"], now, epoch.Add(-time.Minute)); err != nil || got != want {
			t.Errorf("%d at the age of %s, want %d: %v", got, age, want, err)
		}
	}
}
