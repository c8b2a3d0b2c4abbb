// Package cli is the command line of reims-health: one file per command. It wires all
// other packages together, and none of them knows it. It never ends the process: [Run]
// returns the exit code.
package cli
