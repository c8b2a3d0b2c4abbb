// Package dependency defines what a kind of dependency is, such as PostgreSQL, Redis, an
// S3 server or Ollama. Each kind is one folder below this one, with its settings, its
// checker, its reasons and its measures. Package registry lists the kinds, and pkg/cli
// makes services of them.
//
// The package also has what the kinds share: the classification of network errors, TLS,
// HTTP, and the replacement of connections. A kind never schedules checks and never
// decides a service's status; pkg/health does.
package dependency
