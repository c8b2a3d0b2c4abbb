package probe_test

import (
	"context"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// breakable is a server that can be made to fail; those of test/servers are.
type breakable interface {
	Freeze() error
	Thaw() error
	Kill() error
	Start(context.Context) error
}

// survives takes a server away in two ways and gives it back, with a probe that
// knows it and, while it is frozen, the others as well.
func survives(t *testing.T, server breakable, timeout time.Duration, p health.Checker, others ...health.Checker) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	healthy(t, p)
	must(server.Freeze())
	for _, c := range append(others, p, p) {
		start := time.Now()
		fails(t, c, health.Timeout)
		if took := time.Since(start); took > 2*timeout {
			t.Errorf("a frozen server held the check for %v", took)
		}
	}
	must(server.Thaw())
	eventually(t, "recovery after a freeze", func() bool { _, err := p.Check(t.Context()); return err == nil })
	must(server.Kill())
	fails(t, p, health.Refused)
	must(server.Start(t.Context()))
	eventually(t, "recovery after a restart", func() bool { _, err := p.Check(t.Context()); return err == nil })
}
