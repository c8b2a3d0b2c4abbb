// Package controller connects pkg/fleet with the Kubernetes API; pkg/fleet/program runs it. It
// reads DependencyHealth objects and the EndpointSlices of their Services, sets the targets of a
// [fleet.Collector], and writes the results: the status of the objects, and Events.
//
// Every replica reads and asks; only the leader writes. The package never reads or changes Pods,
// and an API server that does not answer never stops the requests to the sidecars.
package controller
