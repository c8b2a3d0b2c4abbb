// Package program is the command reims-health-fleet: its settings and its wiring.
package program
