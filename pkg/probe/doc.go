// Package probe holds one [health.Checker] a dependency: PostgreSQL, Redis,
// MinIO and Ollama.
//
// Each probe owns how its service is asked, with as few round trips as the
// protocol allows, and what its driver's errors mean: an error becomes a
// [health.Reason] here and nowhere else. A probe never schedules, retries over
// time or judges a history; that is pkg/health's.
package probe
