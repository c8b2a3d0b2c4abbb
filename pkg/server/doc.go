// Package server answers HTTP from the latest view: /health and what lies
// below it, for the kubelet, for dashboards and for people.
//
// Every answer is rendered when a view is published, together with the moment
// up to which it is true; a request is one map lookup and one write. Past that
// moment the answer is rendered from what is known then.
// No request causes a probe, reads a file or takes a lock.
//
// The status page at / and the past at /health/history are larger and seldom asked
// for: they are rendered on demand, at most once per view and, the page, once per
// second. Their readers wait for each other, and nobody else waits for them.
package server
