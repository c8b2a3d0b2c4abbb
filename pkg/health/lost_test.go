package health_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// losing returns a service of that history whose connections are lost when lose is called.
func losing(history string, interval time.Duration) (f *fake, s *health.Service, lose func()) {
	lost := make(chan struct{}, 1)
	f = following(history)
	s = service("database", checkedBy(f), timing(interval, time.Second), func(s *health.Service) { s.Lost = lost })
	return f, s, func() {
		select {
		case lost <- struct{}{}:
		default:
		}
	}
}

// A lost connection brings the next check forward to within a quarter of a second, and
// what failed is then confirmed within a second.
func TestLostConnectionHastensTheCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, svc, lose := losing("HU", time.Hour)
		m, _ := watch(t, svc)
		pass(20 * time.Second)
		began := time.Now()
		lose()
		pass(250 * time.Millisecond)
		if n := len(f.seen().starts); n != 2 {
			t.Fatalf("%d checks a quarter of a second after the loss, want 2", n)
		}
		pass(time.Second)
		if got := verdict(m, "database"); got != "unhealthy refused" {
			t.Errorf("%s after the loss: %s", time.Since(began), got)
		}
	})
}

// The check that was due sooner is not put off.
func TestLostConnectionNeverDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, svc, lose := losing("H", 200*time.Millisecond)
		_, _ = watch(t, svc)
		for range 100 {
			lose()
			pass(20 * time.Millisecond)
		}
		if n := len(f.seen().starts); n < 9 || n > 12 { // in 2 s, once per 180 to 220 ms
			t.Errorf("%d checks in 2 s at an interval of 200 ms", n)
		}
	})
}

// Where nothing was wrong, no other loss counts for ten intervals: a server that closes
// idle connections on purpose has 11 checks in the time of ten.
func TestLostConnectionsMakeNoLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, svc, lose := losing("H", 10*time.Second)
		_, _ = watch(t, svc)
		for range 10 * 100 {
			lose()
			pass(time.Second)
		}
		// 1,000 s: once per 9 to 11 s, and once more per hundred.
		if n := len(f.seen().starts); n < 95 || n > 125 {
			t.Errorf("%d checks in 1000 s at an interval of 10 s, each second a loss", n)
		}
	})
}

// While a check runs it is not doubled, and one that fails is confirmed as any other.
func TestLostConnectionDuringACheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost, release := make(chan struct{}, 1), make(chan struct{})
		f := stuck(release)
		_, _ = watch(t, service("database", checkedBy(f), timing(time.Minute, time.Second), func(s *health.Service) { s.Lost = lost }))
		defer close(release)
		for range 30 {
			select {
			case lost <- struct{}{}:
			default:
			}
			pass(time.Second)
		}
		if most := f.seen().most; most != 1 {
			t.Errorf("%d checks at once", most)
		}
	})
}
