// Package check asks a running sidecar over HTTP and judges what it answers: for the
// person or the script behind `reims-health check`.
//
// A [Client] asks. [Client.All] exercises every endpoint like a test run,
// [Client.Detailed] measures each service, and [Client.Look] is one glance of a monitor.
// Each returns plain data, ready to be marshalled; pkg/check/display shows it to people.
//
// It knows the API as any other client does: nothing here reads the environment,
// prints, or contacts what the sidecar probes.
package check
