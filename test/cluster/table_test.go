//go:build e2e

package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// failures is a test that notes its failures.
type failures struct {
	testing.TB
	noted []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.noted = append(f.noted, fmt.Sprintf(format, args...))
}

// TestTable holds that the table refuses a second step of the same name, and fails the
// test whose step is not as it must be.
func TestTable(t *testing.T) {
	t.Parallel()
	r := &record{began: time.Now()}
	for _, test := range []struct {
		name string
		note func(testing.TB)
		want string
	}{
		{"a good step", func(f testing.TB) { f.Helper(); r.took(f, "stop", time.Second, time.Second) }, ""},
		{"a slow one", func(f testing.TB) { f.Helper(); r.took(f, "start", 1500*time.Millisecond, time.Second) }, "start: 1.5 s, bound 1 s"},
		{"a name that is taken", func(f testing.TB) { f.Helper(); r.says(f, "stop", "again") }, `two steps are called "stop"`},
		{"taken by a step that is not run", func(f testing.TB) { f.Helper(); r.notRun(f, "start", "why") }, `two steps are called "start"`},
		{"a finding of two that is wrong", func(f testing.TB) { f.Helper(); r.holds(f, "Pods", count(2, 2, "Pods"), count(1, 0, "restarts")) }, "Pods: 1 restarts, want 0"},
	} {
		f := &failures{TB: t}
		test.note(f)
		if got := strings.Join(f.noted, "\n"); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
