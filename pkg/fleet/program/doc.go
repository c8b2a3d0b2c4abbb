// Package program is the command reims-health-fleet: it reads the settings from the environment,
// and connects and runs the parts of pkg/fleet. cmd/reims-health-fleet calls it. It never exits
// the process and never reads the process's own environment or arguments.
package program
