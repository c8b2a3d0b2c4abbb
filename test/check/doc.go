// Package check tests `reims-health check` as a person or a script uses it: the built
// program, a real sidecar on real servers, and a terminal.
//
// The cases are scripts in testdata, with what is to be typed and exactly what comes
// out; `make update-check` writes their output anew.
package check
