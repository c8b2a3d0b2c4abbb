package logqueue

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// capacity is the size of the queue in bytes: about an hour of a quiet sidecar's log, or
// some minutes at LOG_LEVEL=debug.
const capacity = 256 << 10

// Queue is an [io.Writer] of whole lines. Before [Queue.Start], Write writes to the output
// directly and may block; afterwards it never blocks and never fails. Queue is safe for
// concurrent use.
type Queue struct {
	out     io.Writer
	dropped atomic.Uint64
	done    chan struct{} // closed when the writing goroutine has ended
	wake    chan struct{} // one element: there is something to write, or the queue is closed

	mu      sync.Mutex // not held during writes to the output
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

// item is the text of one Write, and the number of lines that were dropped before it.
type item struct {
	text []byte
	lost uint64
}

// New returns a queue that writes to out. It starts no goroutine.
func New(out io.Writer) *Queue {
	return &Queue{out: out, notice: plainNotice, done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func plainNotice(lost uint64) []byte {
	return fmt.Appendf(nil, "reims-health: %d lines of this output were lost here, because they could not be written in time\n", lost)
}

// SetNotice sets the function that formats the line about lost lines. The default is
// a sentence in plain text.
func (q *Queue) SetNotice(notice func(lost uint64) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notice = notice
}

// Unwrap returns the output.
func (q *Queue) Unwrap() io.Writer { return q.out }

// Dropped returns the number of lines dropped so far.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Start starts the goroutine that writes. The caller must call [Queue.Close], which waits for
// it.
func (q *Queue) Start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state == direct {
		q.state = queueing
		go q.write()
	}
}

// Close accepts no more lines, and waits until the queue is written or
// patience has passed. It reports whether the queue is written. If a write hangs, its goroutine is
// abandoned: only the end of the process ends a write to a pipe that is not read.
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

// Write implements [io.Writer]. p is one or several whole lines.
func (q *Queue) Write(text []byte) (int, error) {
	q.mu.Lock()
	if q.state == direct {
		q.mu.Unlock()
		return q.out.Write(text)
	}
	defer q.mu.Unlock()
	// A text that is longer than the capacity is accepted if the queue is empty.
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

// next waits for the next item, and reports false after the last one. An item
// without text means that lines were dropped after the previous item.
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

// take removes the next item. The caller holds mu.
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

// write runs in the writing goroutine. It returns after Close, when the queue is empty.
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

// output writes lines. If only the beginning of a line could be written, as on a full
// disk, it begins the next text with a newline.
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
