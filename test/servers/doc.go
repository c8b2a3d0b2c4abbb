// Package servers runs the real PostgreSQL, PgBouncer, Redis, MinIO, Ollama,
// Prometheus, Alertmanager and Kubernetes API server that development and the tests
// need, and the product beside them.
//
// Each server is a child process on a free port of 127.0.0.1, or of the address in
// Options.Host, in a folder of its own, with random passwords. It can be stopped,
// killed, frozen, thawed and started again on the same port and data. What is
// missing on the machine is installed, downloaded or built by the package install, once
// per machine. The Kubernetes API server is there with the build tag e2e only, so that
// `make test` never builds one.
//
// Tests call the Run functions, which fail the test when a server does not come
// up and never skip it. hack/servers calls the Start functions.
//
// The package never touches a process that it did not start, never listens
// anywhere but on loopback unless told to, and never shows a password. Linux only.
package servers
