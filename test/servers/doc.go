// Package servers runs the real PostgreSQL, PgBouncer, Redis, MinIO, Ollama,
// Prometheus, Alertmanager and Kubernetes API server that development and the tests
// need, and the product beside them.
//
// Each server is a child process on a free port of 127.0.0.1, or of the address in
// Options.Host, in a folder of its own, with random passwords. It can be stopped,
// killed, frozen, thawed and started again on the same port and data. What is
// missing on the machine is installed (apt), downloaded (npm) or built (the tools
// modules under hack/tools), once a machine.
//
// Tests call the Run functions, which fail the test when a server does not come
// up and never skip it. hack/servers calls the Start functions.
//
// The package never touches a process that it did not start, never listens
// anywhere but on loopback unless told to, and never shows a password. Linux only.
package servers
