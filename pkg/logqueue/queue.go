package logqueue

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// capacity is how many bytes wait at most: about an hour of a quiet sidecar's log, or
// some minutes of one at LOG_LEVEL=debug.
const capacity = 256 << 10

// Queue is an [io.Writer] of whole lines. Before [Queue.Start] it writes to its output
// itself, and waits for it; afterwards its Write never waits and never fails. It may be
// used by several goroutines at once.
type Queue struct {
	out     io.Writer
	dropped atomic.Uint64
	done    chan struct{} // closed when the writer has ended
	wake    chan struct{} // holds one: there is something to write, or nothing more to come

	mu      sync.Mutex // never held while the output is written to
	notice  func(lost uint64) []byte
	state   state
	pending []item
	size    int    // of pending, in bytes
	lost    uint64 // lines dropped since the last item of pending
}

type state int

const (
	direct state = iota
	queueing
	closed
)

// item is what one call of Write was given, and how many lines were dropped before it.
type item struct {
	text []byte
	lost uint64
}

// New returns a queue in front of out. It starts nothing.
func New(out io.Writer) *Queue {
	return &Queue{out: out, notice: plainNotice, done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func plainNotice(lost uint64) []byte {
	return fmt.Appendf(nil, "reims-health: %d lines of this output were lost here, since they could not be written in time\n", lost)
}

// SetNotice sets what makes the line that says how many lines were lost. The default is
// a sentence in plain text.
func (q *Queue) SetNotice(notice func(lost uint64) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notice = notice
}

// Unwrap returns the output.
func (q *Queue) Unwrap() io.Writer { return q.out }

// Dropped is how many lines were dropped so far.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Start begins to queue. The caller must call [Queue.Close] in the end, which waits for
// the goroutine that writes.
func (q *Queue) Start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state == direct {
		q.state = queueing
		go q.write()
	}
}

// Close takes no more lines and waits until those in the queue are written, or the
// patience is over. It reports whether they are. The writer is abandoned where it hangs:
// only the end of the process ends a write to a pipe that is not read.
func (q *Queue) Close(patience time.Duration) bool {
	q.mu.Lock()
	started := q.state != direct
	q.state = closed
	q.mu.Unlock()
	if !started {
		return true
	}
	q.signal()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-q.done:
		return true
	case <-timer.C:
		return false
	}
}

// Write implements [io.Writer]. The text is one line or several whole ones.
func (q *Queue) Write(text []byte) (int, error) {
	q.mu.Lock()
	if q.state == direct {
		q.mu.Unlock()
		return q.out.Write(text)
	}
	defer q.mu.Unlock()
	// A text that alone is too long is taken where nothing else waits.
	if q.state == closed || len(q.pending) > 0 && q.size+len(text) > capacity {
		n := lines(text)
		q.lost += n
		q.dropped.Add(n)
		return len(text), nil
	}
	q.pending = append(q.pending, item{bytes.Clone(text), q.lost})
	q.size += len(text)
	q.lost = 0
	q.signal()
	return len(text), nil
}

func lines(text []byte) uint64 { return uint64(max(1, bytes.Count(text, []byte("\n")))) }

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for the next item, and reports false when there will be none. An item
// without text says that lines were dropped after the last one that was taken.
func (q *Queue) next() (item, bool) {
	for {
		q.mu.Lock()
		i, ended := q.take(), q.state == closed
		q.mu.Unlock()
		if i.text != nil || i.lost > 0 {
			return i, true
		}
		if ended {
			return item{}, false
		}
		<-q.wake
	}
}

// take is called with mu held.
func (q *Queue) take() item {
	if len(q.pending) == 0 {
		i := item{lost: q.lost}
		q.lost = 0
		return i
	}
	i := q.pending[0]
	q.pending[0] = item{}
	q.pending = q.pending[1:]
	q.size -= len(i.text)
	return i
}

// write is the goroutine that writes. It ends after Close, once the queue is empty.
func (q *Queue) write() {
	defer close(q.done)
	w := output{out: q.out}
	var lost uint64 // not yet told
	for {
		i, ok := q.next()
		if !ok {
			return
		}
		if lost += i.lost; lost > 0 && w.put(q.noticeOf(lost)) {
			lost = 0
		}
		if i.text != nil && (lost > 0 || !w.put(i.text)) {
			n := lines(i.text)
			lost += n
			q.dropped.Add(n)
		}
	}
}

func (q *Queue) noticeOf(lost uint64) []byte {
	q.mu.Lock()
	notice := q.notice
	q.mu.Unlock()
	return notice(lost)
}

// output writes lines. Where only the beginning of one could be written, as on a disk
// that is full, the next one begins on a line of its own.
type output struct {
	out  io.Writer
	torn bool
}

func (o *output) put(text []byte) bool {
	if o.torn {
		text = append([]byte("\n"), text...)
	}
	n, err := o.out.Write(text)
	switch {
	case err == nil:
		o.torn = false
	case n > 0:
		o.torn = text[n-1] != '\n'
	}
	return err == nil
}
