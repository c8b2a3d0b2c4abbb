// Package statuspage renders the status page for people: what the latest view and the last
// hour say, as one HTML document with a style sheet, a script and an icon.
//
// pkg/cli mounts it in pkg/server, which answers every other path. The page is rendered
// when it is asked for. It never causes a check, and loads nothing from other hosts.
package statuspage
