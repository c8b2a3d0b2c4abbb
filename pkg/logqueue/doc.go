// Package logqueue keeps a program from blocking when it writes its log.
//
// Standard error is often a pipe. If its reader stops reading, the pipe fills up, and the next
// direct write blocks. A [Queue] accepts each line at once and writes it in its own goroutine. It
// drops and counts lines that do not fit into the queue or cannot be written. When writing works
// again, one line says how many were dropped.
//
// pkg/cli uses one queue for standard error in the commands that must not wait for their log. It
// never formats or filters lines.
package logqueue
