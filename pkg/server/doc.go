// Package server answers HTTP from the latest snapshot: /health and what lies
// below it, for the kubelet, for dashboards and for people.
//
// Every answer is rendered when a snapshot is published, together with the moment
// up to which it is true; a request is one map lookup and one write. Past that
// moment the answer is rendered from the same snapshot as it must be read then.
// No request causes a probe, reads a file or takes a lock.
//
// The status page at / and the past at /health/history are larger and seldom asked
// for: they are rendered on demand, at most once a snapshot and, the page, once a
// second. Their readers wait for each other, and nobody else waits for them.
package server
