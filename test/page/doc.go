// Package page tests the status page in a real browser, against the built program
// and real servers.
package page
