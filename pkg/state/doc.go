// Package state keeps the basis of readiness in a small file, so that a restart of the sidecar's
// container does not lose it: which services were healthy at least once, and since when each
// service fails.
//
// The file is valid for one Pod: it has the Pod's UID and, per service, a digest of the settings
// that are checked. Another Pod or another server never uses its content. Only pkg/cli uses the
// package. A disk that is full, read-only or frozen only stops the writes of the file.
package state
