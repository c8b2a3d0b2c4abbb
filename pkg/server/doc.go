// Package server is the HTTP API of the sidecar: /health and the paths below it, as JSON and
// as text, for the kubelet, load balancers, dashboards and scripts; and the listener, its
// limits and CORS. pkg/cli creates it and has the monitor publish every view to it.
//
// Every answer is rendered when a view is published, together with the time until which it
// is true. A request is one map lookup and one write; after that time the answer is rendered
// again from the monitor's view. /health/history is larger and seldom asked for: it is
// rendered on demand, at most once per view. Paths that the package does not know go to
// [Options].Page.
//
// No request causes a check, reads a file or, except for /health/history and the page, takes
// a lock. The files of HTTPS are read by a goroutine of the server.
package server
