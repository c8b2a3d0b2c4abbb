package dependency

import "testing"

func TestRedialExpiresOnce(t *testing.T) {
	t.Parallel()
	var r Redialer
	if !r.Expired() || r.Expired() {
		t.Error("what was never dialled is expired, once")
	}
	r.Redial()
	r.Redial()
	if !r.Expired() || r.Expired() {
		t.Error("Redial must expire connections, once")
	}
}
