// Package controller is the part of reims-health-fleet that talks to Kubernetes. It reads
// DependencyHealth objects and the EndpointSlices of their Services, tells a
// [fleet.Collector] whom to ask, and writes down what was found: the objects' status and
// Events.
//
// Every replica reads and asks; the leader alone writes. An API server that does not answer
// stops the writing, never the asking.
package controller
