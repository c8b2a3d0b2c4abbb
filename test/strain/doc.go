// Package strain puts the built program under strain for minutes or hours, on real servers of its own on loopback, and
// holds what it does against bounds: [Soak] with load, readers and random faults together, [Starve] with next to no
// processor time, and [Hostile] with clients that mean harm. hack/strain runs them; docs/reliability.md shows what was
// measured. Their short forms, where they have one, are tests.
package strain
