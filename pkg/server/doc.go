// Package server is the HTTP API of the sidecar: /health and the paths below it, as JSON and as
// text. It also has the listener with its limits, HTTPS and CORS. pkg/cli creates it and
// subscribes it to the monitor; the fleet program uses the listener.
//
// Every response is rendered when a view is published, with the time until which it is valid. A
// request is one map lookup and one write; after that time, the response is rendered again from
// the monitor's view. /health/history is larger and rarely requested: it is rendered on demand,
// at most once per view. [Options].Page serves the paths that the package does not know.
//
// A request never causes a check or reads a file, and takes a lock only for /health/history and
// the page. A goroutine of the server reads the files of HTTPS.
package server
