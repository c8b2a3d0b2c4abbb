// Package override reads the override file, by which an operator sets readiness by hand. pkg/cli
// runs it, and passes the result to [health.Monitor.Override]. It never writes the file.
package override
