// Package fleet asks all sidecars of a workload, and finds out what is wrong, for how many
// Pods, and where. It knows nothing of Kubernetes' API: pkg/fleet/controller tells it which
// Pods there are, and writes down what it found.
//
// Target says whom to ask, Collector asks, and Summary is what a round of answers comes to:
//
//	EndpointSlices -> Target -> Collector -> Summary -> status, Events, page, API, metrics
//
// No readiness decision depends on it. A Pod that does not answer is unknown, never unhealthy.
package fleet
