// Package cli is the command line of reims-health: one or more files per command. Only the
// main package calls it. It connects all other packages, and none of them imports it. It
// never ends the process ([Run] returns the exit code), and never reads the environment
// itself.
package cli
