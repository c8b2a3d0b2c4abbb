// Package peers finds out whether a fault affects only this Pod or other Pods too. While a
// service of this Pod fails, it asks the sidecars of the workload's other Pods, and reports the
// scope of the fault to the monitor. pkg/cli runs it.
//
// The sidecars ask each other directly. No API server, leader or store takes part, since each of
// them could be what has failed. A peer responds from memory; a request never causes a check.
//
// [Decide] is a pure function of this Pod's result, the peers' answers ([Ledger]) and the time.
// It uses ages instead of times, so that clocks are never compared, and never uses readiness, so
// that one decision cannot influence another.
package peers
