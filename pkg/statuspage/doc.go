// Package statuspage renders the status page for people: the latest view and the last hour as
// one HTML document with a style sheet, a script and an icon.
//
// pkg/cli creates the page, and pkg/server serves it at /. The page is rendered on request, at
// most once per view. It never causes a check, and loads nothing from other hosts.
package statuspage
