// Package health is the domain: what a service's status is, why, since when,
// and whether the Pod is ready.
//
// A [Monitor] runs one [Checker] per service on a ticker and feeds each [Outcome]
// to a pure state machine ([Result.Next]). Every reader (HTTP, metrics, Kubernetes)
// gets what comes out as an immutable [View], with the age of each result applied.
//
// It uses the standard library only and knows no driver, no wire format and no
// environment variable. No reader can cause a check.
package health
