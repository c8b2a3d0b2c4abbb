// Package rendered caches responses: [Response] is a response that is rendered once and written
// many times, [ViewCache] keeps what was computed from the latest view.
//
// The JSON API (pkg/server), the status page (pkg/statuspage), and the fleet program's pages and
// API (pkg/fleet) use it. It never routes requests or decides what a response contains.
package rendered
