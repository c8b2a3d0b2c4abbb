package server

import (
	"strings"
	"testing"
	"time"
)

// Whatever a request asks of the past, it gets no more than there is and nothing of the
// future, and the error does not quote the request.
func FuzzHistoryQuery(f *testing.F) {
	for _, seed := range []string{"", "since=15m", "since=2026-01-31T12:00:00+02:00&service=database", "since=-1h", "since=9999999h", "since=%zz", "since=0001-01-01T00:00:00Z", "since=9999-12-31T23:59:59-23:59", "service=%00&since=canary", ";", "since=1ns"} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseHistoryQuery(raw, now)
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "query: not in the form") && text != errSince.Error() {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if q.since.After(now) || q.since.Before(now.Add(-historySpan)) {
			t.Errorf("%q: since %s", raw, q.since)
		}
	})
}
