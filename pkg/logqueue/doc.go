// Package logqueue keeps a program from waiting for whoever reads its log.
//
// Standard error is often a pipe. When its reader stops reading, the pipe fills up,
// and from then on a program that writes to it itself stands still at its next line. A
// [Queue] takes each line at once and writes it in a goroutine of its own; lines that it
// has no room for, or that cannot be written, are dropped and counted, and one line says
// how many they were as soon as the log can be written again.
//
// The command line puts one in front of standard error in the commands that must go on
// whatever becomes of their log. Nothing else writes there.
package logqueue
