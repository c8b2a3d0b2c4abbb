// Package fleet requests the health of every Pod of a workload from its sidecar, and finds out
// which services fail, for how many Pods, and where. pkg/fleet/program runs it;
// pkg/fleet/controller sets the Pods to ask and writes the results into the cluster.
//
// Target lists the Pods to ask, Collector asks them, and Summary is the result of one round:
//
//	EndpointSlices -> Target -> Collector -> Summary -> status, Events, page, API, metrics
//
// It never calls the Kubernetes API, and no readiness decision depends on it. A Pod that does
// not answer is unknown, never unhealthy.
package fleet
