// Package cluster tests the chart and the image on a real Kubernetes: `make e2e`.
//
// Its tests have the build tag e2e, so that `go test ./...` starts no cluster. They
// use helm as its users do, PostgreSQL, Redis, MinIO and Ollama as processes beside
// the cluster, and note how long each step took: the table at the end is the result.
// CONTRIBUTING.md says what can be set.
package cluster
