// Package check sends requests to a running sidecar over HTTP and verifies the responses.
// The command `reims-health check` in pkg/cli calls it.
//
// A [Client] sends the requests. [Client.All] tests every endpoint, [Client.Detailed]
// measures each service, and [Client.Look] is one round of a monitor. Each returns data that
// can be marshalled; pkg/check/display shows it to people.
//
// It uses the API as any other client does. It never reads the environment, never prints,
// and never connects to the services that the sidecar checks.
package check
