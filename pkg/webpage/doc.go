// Package webpage has what the pages for people share: the style sheet, the script, the icons,
// parts of the HTML, and the format of times and numbers.
//
// The status page of a sidecar (pkg/statuspage) and the pages of the fleet program (pkg/fleet)
// use it. It never decides what a page shows.
package webpage
