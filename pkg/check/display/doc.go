// Package display shows what pkg/check found to a person: lines, tables and bars, in
// colours on a terminal and in plain text anywhere else, and the live screen of the
// monitor.
//
// It never asks a sidecar and never judges.
package display
