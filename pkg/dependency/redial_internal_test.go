package dependency

import (
	"testing"
	"time"
)

func TestConnectionsLiveForAMinute(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	lifetimes := make(map[time.Duration]bool)
	for range 100 {
		var r Redialer
		if !r.Expired(start) {
			t.Fatal("what was never dialled is not expired")
		}
		lifetime := time.Duration(0)
		for !r.Expired(start.Add(lifetime)) {
			lifetime += time.Second
		}
		if lifetime < 50*time.Second || lifetime > time.Minute {
			t.Fatalf("a lifetime of %v, want 50 s to a minute", lifetime)
		}
		lifetimes[lifetime] = true
	}
	if len(lifetimes) < 3 {
		t.Errorf("only %d lifetimes in 100: no jitter", len(lifetimes))
	}
}

func TestRedialExpiresOnce(t *testing.T) {
	t.Parallel()
	var r Redialer
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	r.Expired(now)
	r.Redial()
	r.Redial()
	if !r.Expired(now) || r.Expired(now) {
		t.Error("Redial must expire connections, once")
	}
}
