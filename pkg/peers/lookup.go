package peers

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	lookupPeriod  = 5 * time.Second  // the shortest time between two lookups
	lookupTimeout = 2 * time.Second  // of one lookup
	listLife      = 5 * time.Minute  // how long the last good list is used while DNS fails
	freshLife     = 30 * time.Second // how long a lookup without other Pods counts

	// maxComplete is the longest list of addresses that counts as complete. DNS responses have
	// at most about 4,000 addresses, and for a larger fleet a different part each time.
	maxComplete = 2000
)

// Resolver looks up the addresses of a name: [net.Resolver] is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// directory has the addresses of the peers. It is not safe for concurrent use.
type directory struct {
	names  []string // one name to look up, or the addresses of the peers
	port   string   // for names without a port
	self   netip.Addr
	lookup Resolver

	listed        []string        // addresses to ask, without this Pod's
	at            time.Time       // of the latest successful lookup; zero if there was none
	tried         time.Time       // of the latest lookup
	selfAddresses map[string]bool // addresses at which this process itself answered
	selfListed    bool            // a list contained this Pod
	queue         []string        // peers to ask before one is asked again
}

func newDirectory(o Options) *directory {
	d := &directory{names: o.Names, port: o.Port, self: o.Self, lookup: o.Resolver, selfAddresses: make(map[string]bool)}
	if d.fixed() {
		var listed []string
		for _, name := range o.Names {
			host, port := split(name, o.Port)
			if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap() == d.self && port == o.Port {
				continue
			}
			listed = append(listed, net.JoinHostPort(host, port))
		}
		d.replace(listed, time.Time{})
	}
	return d
}

// fixed reports whether the peers are configured, so that there is nothing to look up.
func (d *directory) fixed() bool { return len(d.names) > 1 }

// find looks the name up. It runs in its own goroutine, and modifies nothing.
func (d *directory) find(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	host, port := split(d.names[0], d.port)
	network := "ip"
	if d.self.IsValid() {
		network = "ip6"
		if d.self.Is4() {
			network = "ip4"
		}
	}
	found, err := d.lookup.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, fmt.Errorf("look up the peers' name %s: %w", host, err)
	}
	addresses := make([]string, 0, len(found))
	for _, addr := range found {
		if addr = addr.Unmap(); !d.self.IsValid() || addr.Is4() == d.self.Is4() {
			addresses = append(addresses, net.JoinHostPort(addr.String(), port))
		}
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("look up the peers' name %s: it has no address of this Pod's IP family", host)
	}
	return addresses, nil
}

// setList sets the list from a lookup. It refuses a list without this Pod if an
// earlier one had this Pod: another name was resolved, such as one of a search domain while the
// cluster's own failed. For a very large fleet, each list is only a part.
func (d *directory) setList(addresses []string, at time.Time) error {
	_, port := split(d.names[0], d.port)
	if d.self.IsValid() {
		self := net.JoinHostPort(d.self.String(), port)
		there := slices.Contains(addresses, self)
		if d.selfListed && !there && len(addresses) <= maxComplete {
			return fmt.Errorf("look up the peers' name %s: the list of %d lacks this Pod, which an earlier one had", d.names[0], len(addresses))
		}
		d.selfListed = d.selfListed || there
		addresses = slices.DeleteFunc(addresses, func(a string) bool { return a == self })
	}
	d.replace(addresses, at)
	return nil
}

func (d *directory) replace(listed []string, at time.Time) {
	known := make(map[string]bool, len(d.listed))
	for _, a := range d.listed {
		known[a] = true
	}
	slices.Sort(listed)
	d.listed, d.at = slices.Compact(listed), at
	d.queue = slices.DeleteFunc(d.queue, func(a string) bool { return !d.contains(a) })
	maps.DeleteFunc(d.selfAddresses, func(a string, _ bool) bool { return !d.contains(a) })
	before := len(d.queue)
	for _, a := range d.listed {
		if !known[a] {
			d.queue = append(d.queue, a)
		}
	}
	shuffle(d.queue[before:])
}

// contains reports whether an address is in the current list.
func (d *directory) contains(address string) bool {
	_, found := slices.BinarySearch(d.listed, address)
	return found
}

// isComplete reports whether the list has all Pods, so that a Pod that is not in it has gone.
func (d *directory) isComplete() bool { return len(d.listed) <= maxComplete }

// markSelf records that this process itself answered at an address.
func (d *directory) markSelf(address string) { d.selfAddresses[address] = true }

// next returns up to n peers to ask. It returns each peer once, in random order, before it returns
// any of them again.
func (d *directory) next(n int) []string {
	var chosen []string
	for refilled := false; len(chosen) < n; {
		if len(d.queue) == 0 {
			if refilled {
				break
			}
			refilled = true
			d.queue = slices.DeleteFunc(slices.Clone(d.listed), func(a string) bool { return slices.Contains(chosen, a) })
			shuffle(d.queue)
			continue
		}
		a := d.queue[0]
		d.queue = d.queue[1:]
		if !d.selfAddresses[a] {
			chosen = append(chosen, a)
		}
	}
	return chosen
}

func shuffle(s []string) { rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }

// fleet returns what the lookups say now. It drops a list that is too old.
func (d *directory) fleet(now time.Time) Fleet {
	if !d.fixed() && !d.at.IsZero() && now.Sub(d.at) > listLife {
		d.replace(nil, time.Time{})
	}
	f := Fleet{}
	for _, a := range d.listed {
		if !d.selfAddresses[a] {
			f.Peers++
		}
	}
	f.Fresh = d.fixed() || !d.at.IsZero() && now.Sub(d.at) < freshLife
	return f
}

// split returns the host and the port of name or name:port.
func split(name, port string) (host, its string) {
	if h, p, err := net.SplitHostPort(name); err == nil {
		return h, p
	}
	return strings.Trim(name, "[]"), port
}
