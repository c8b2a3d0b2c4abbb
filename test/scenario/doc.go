// Package scenario holds the states of the world in which the tests of pkg/server and
// pkg/statuspage look at answers and pages: services that fail, recover, grow stale or were
// never checked, with the history that a monitor would have published.
//
// Nothing outside of tests imports it.
package scenario
