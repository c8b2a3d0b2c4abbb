// Package kube reports the sidecar's view to Kubernetes: as one condition of its own Pod, and as
// Events when the status of a service changes. `kubectl describe pod` then shows what is wrong
// without a dashboard.
//
// pkg/cli runs one [Reporter]. It receives views from a channel and never blocks the monitor. If
// the API server is slow, away or refuses the writes, the sidecar only logs it.
//
// The package never reads or watches objects in the cluster. It needs two rights: patch on
// pods/status, create and patch on events. It uses client-go's REST client, which is enough for
// its three kinds of request.
package kube
