// Package webpage is what the pages for people have in common: their style sheet, script and
// icons, the parts of their HTML, and how they write times and numbers.
//
// The status page of one sidecar (pkg/statuspage) and the page of the fleet (pkg/fleet) use
// it. It knows nothing of what they show.
package webpage
