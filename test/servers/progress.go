package servers

import "time"

// progressPeriod is the time between two lines about one long piece of work.
const progressPeriod = 15 * time.Second

// tick tells the progress of a long piece of work until done is called.
func (o Options) tick(what string) (done func()) {
	if o.Progress == nil {
		return func() {}
	}
	begin := time.Now()
	o.progress("%s", what)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // done waits for it
		defer close(stopped)
		t := time.NewTicker(progressPeriod)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				o.progress("%s: %s so far", what, time.Since(begin).Round(time.Second))
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		o.progress("%s: ended after %s", what, time.Since(begin).Round(time.Second))
	}
}
