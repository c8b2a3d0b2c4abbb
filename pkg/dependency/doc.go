// Package dependency says what a kind of dependency is: PostgreSQL, Redis, an S3 server,
// Ollama. Each kind is one folder below this one, which holds its settings, its checker,
// its reasons and its measures; package registry lists the kinds.
//
// What the kinds share is here too: how errors of the network are classified, TLS, HTTP,
// and when connections are replaced. A kind never schedules, retries over time or judges
// a history; that is pkg/health's.
package dependency
