// Package dial connects to a host that may have several addresses. It gives each
// address a chance within one deadline, as Happy Eyeballs (RFC 8305) does, where
// net.Dialer lets the first address of a family use up the time.
//
// The probes and pkg/database dial with it. It never retries an address by itself,
// never sends anything, and keeps no memory from one [Route] to the next.
package dial
