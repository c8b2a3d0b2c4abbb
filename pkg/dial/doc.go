// Package dial connects to a host that may have several addresses. It tries each address
// within one deadline, as Happy Eyeballs (RFC 8305) does. With net.Dialer, the first
// address of a family can use all of the time.
//
// The checkers below pkg/dependency and pkg/database connect with it. It never retries an
// address by itself, never sends data, and keeps no state between two [Route]s.
package dial
