package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// glancePeriod is how often a watched sidecar is asked.
const glancePeriod = 100 * time.Millisecond

// watch asks the sidecar all the time until stop is called: it must be alive, and
// /health as wanted. A patient watch puts up with no answer at all, as from a
// process that is stopped.
func (s *sidecar) watch(patient bool, wanted func(answer) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(glancePeriod)
		defer tick.Stop()
		for {
			if err := s.glance(patient, wanted); err != nil {
				s.t.Errorf("%s: %v", time.Now().Format(time.RFC3339Nano), err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		watching.Wait()
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *sidecar) glance(patient bool, wanted func(answer) error) error {
	live, err := s.fetch(http.MethodGet, s.health+"/health/live")
	switch {
	case err != nil && patient:
		return nil
	case err != nil:
		return err
	case live.code != http.StatusOK:
		return fmt.Errorf("/health/live: %d %s", live.code, live.body)
	}
	all, err := s.fetch(http.MethodGet, s.health+"/health")
	if err != nil {
		if patient {
			return nil
		}
		return err
	}
	return wanted(all)
}

// unaffected wants every service but one to be healthy.
func unaffected(but string) func(answer) error {
	return func(a answer) error {
		for service, status := range a.json.Services {
			if service != but && status != "healthy" {
				return fmt.Errorf("%s is %s (%+v) while %s has a fault", service, status, a.detail(service), but)
			}
		}
		return nil
	}
}

// footprint is what a leak would make grow.
type footprint struct{ goroutines, descriptors, connections int }

func (f footprint) within(bound footprint) bool {
	return f.goroutines <= bound.goroutines && f.descriptors <= bound.descriptors && f.connections <= bound.connections
}

// footprint takes a sample, with the server's own count of connections.
func (s *sidecar) footprint(connections func() int) footprint {
	s.t.Helper()
	m := s.scrape()
	return footprint{int(m["go_goroutines"]), int(m["process_open_fds"]), connections()}
}

// typical is the median of each figure over two intervals: a check under way, or
// another scrape, makes them differ for a moment.
func (s *sidecar) typical(connections func() int) footprint {
	s.t.Helper()
	const samples = 21
	var goroutines, descriptors, conns []int
	for range samples {
		f := s.footprint(connections)
		goroutines = append(goroutines, f.goroutines)
		descriptors = append(descriptors, f.descriptors)
		conns = append(conns, f.connections)
		hold(s.t.Context(), 2*interval/samples)
	}
	return footprint{median(goroutines), median(descriptors), median(conns)}
}

func median(all []int) int {
	slices.Sort(all)
	return all[len(all)/2]
}
