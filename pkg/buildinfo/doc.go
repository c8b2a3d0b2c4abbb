// Package buildinfo has the version information of a binary. Both programs print their version
// with it. It never reads files or the environment.
package buildinfo
