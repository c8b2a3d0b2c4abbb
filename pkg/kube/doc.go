// Package kube tells Kubernetes what the sidecar sees: one condition of its own Pod,
// and Events when a service's status changes, so that `kubectl describe pod` says
// what is wrong where there is no dashboard.
//
// [NewReporter] makes the one subscriber that talks to the API server. It reads
// views from a channel and never holds up whoever publishes them; an API server
// that is slow, gone or unwilling costs the sidecar a few log lines and nothing else.
//
// The package reads nothing from the cluster, watches nothing, and needs two rights:
// patch on pods/status, create and patch on events. It uses client-go's REST client,
// which is what three kinds of request need.
package kube
