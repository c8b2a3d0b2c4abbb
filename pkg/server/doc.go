// Package server answers HTTP from the latest snapshot: /health and what lies
// below it, for the kubelet, for dashboards and for people.
//
// Every answer is rendered when a snapshot is published, together with the moment
// up to which it is true; a request is one map lookup and one write. Past that
// moment the answer is rendered from the same snapshot as it must be read then.
// No request causes a probe, reads a file or takes a lock.
package server
