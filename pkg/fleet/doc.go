// Package fleet asks all sidecars of a workload, and finds out what is wrong, for how many
// Pods, and where. It knows nothing of Kubernetes' API: pkg/fleet/controller tells it which
// Pods there are, and writes down what it found.
//
// The way of an answer:
//
//	EndpointSlices -> Target -> Collector (asks each sidecar) -> Round -> Summary -> status, Events, page, metrics
//
// It is never on the way of a readiness decision. A Pod that does not answer is unknown,
// never unhealthy.
package fleet
