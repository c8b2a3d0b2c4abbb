// Package health is the domain: what a service's status is, why, since when,
// and whether the Pod is ready.
//
// A [Monitor] runs one [Checker] a service on a ticker and feeds each [Outcome]
// to a pure state machine ([Result.Next]); what comes out is kept in an immutable
// [Snapshot] that every reader (HTTP, metrics, Kubernetes) shares.
//
// It uses the standard library only and knows no driver, no wire format and no
// environment variable. No reader can cause a check.
package health
