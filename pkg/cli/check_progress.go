package cli

import (
	"fmt"
	"sync"
	"time"
)

// progressPeriod is how long nothing may be said while a person waits.
const progressPeriod = 3 * time.Second

// progress says every few seconds that the program is at work, until stop is called.
func (c *checking) progress(text func() string) (stop func()) {
	var (
		done    = make(chan struct{})
		began   = time.Now()
		talking sync.WaitGroup
	)
	talking.Go(func() {
		tick := time.NewTicker(progressPeriod)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(c.stderr, "... %s (%s)\n", text(), time.Since(began).Round(time.Second))
			}
		}
	})
	return func() {
		close(done)
		talking.Wait()
	}
}
