// Package peers asks the sidecars of a workload's other Pods whether they see a fault too,
// while a service of this Pod fails, and tells the monitor what they say: whether the
// fault is shared by the Pods or this Pod's own.
//
// The decision is made here, from answers that are asked for directly: no API server, no
// leader and no store takes part in it, each of which could be what is down. What a peer
// says comes from its memory and costs it next to nothing.
//
// [Decide] is a pure function of this Pod's result, of what the peers answered ([Ledger])
// and of the moment. It rests on ages, not on times, so that no two clocks are compared,
// and on no readiness, so that no decision feeds back into another.
package peers
