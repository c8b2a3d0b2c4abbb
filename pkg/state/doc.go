// Package state keeps in a small file what readiness rests on, which services were
// proven and since when each fails, so that a restart of the sidecar's container does
// not forget it.
//
// The file belongs to one Pod: it is bound to the Pod's UID and, per service, to a
// digest of what is checked, so that neither a new Pod nor another server inherits
// anything. Only cmd uses the package. A disk that is full, read-only or frozen
// disturbs nothing but the file itself.
package state
