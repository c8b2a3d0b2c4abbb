package rendered

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Response is ready to be written, any number of times and by several goroutines at once.
// Its header values are shared between responses and must not be changed.
type Response struct {
	code        int
	contentType []string
	length      []string
	body        []byte
}

// New returns a response whose content type is a header's value.
func New(code int, contentType []string, body []byte) *Response {
	return &Response{code, contentType, []string{strconv.Itoa(len(body))}, body}
}

// Write answers r, a GET or a HEAD, without any allocation. Other headers are the caller's.
func (a *Response) Write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Type"] = a.contentType
	header["Content-Length"] = a.length
	w.WriteHeader(a.code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a reader that has gone needs no answer
	}
}

// ViewCache keeps what was last made of the published view, for as long as it is true.
// Readers that ask while it is being made wait for it, so that many readers cost no more
// than one. Only responses that are made on demand take its lock.
//
// The zero value is not usable: see [NewViewCache].
type ViewCache[T any] struct {
	published *atomic.Pointer[health.View]
	produce   func(*health.View, time.Time) (T, time.Time)

	mu    sync.Mutex
	from  *health.View // nil: nothing is kept
	until time.Time
	made  T
}

// NewViewCache returns a cache of what produce makes of the view that published holds:
// the view that the history has observed, which may be older than the monitor's latest.
// produce returns what it made, and until when that is true; the zero time is for as long
// as no other view is published.
func NewViewCache[T any](published *atomic.Pointer[health.View], produce func(*health.View, time.Time) (T, time.Time)) *ViewCache[T] {
	return &ViewCache[T]{published: published, produce: produce}
}

// Get returns what is kept, or makes it anew where that is no longer true.
func (c *ViewCache[T]) Get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, now := c.published.Load(), time.Now()
	if c.from != v || !c.until.IsZero() && now.After(c.until) {
		c.made, c.until = c.produce(v, now)
		c.from = v
	}
	return c.made
}

// Forget drops what is kept, once another view has been published: it would not be given
// to any reader again. It does not wait: what is being made now is dropped the next time.
func (c *ViewCache[T]) Forget() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	var none T
	c.made, c.from = none, nil
}

// Empty reports whether nothing is kept.
func (c *ViewCache[T]) Empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.from == nil
}
