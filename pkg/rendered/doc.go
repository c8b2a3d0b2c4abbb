// Package rendered holds responses that are rendered before they are asked for, or once for
// many readers: [Response] writes one, [ViewCache] keeps what was made of the latest view.
//
// The JSON API (pkg/server) and the status page (pkg/statuspage) use it. It neither routes
// requests nor decides what a response says.
package rendered
