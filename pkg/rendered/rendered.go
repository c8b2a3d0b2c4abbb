package rendered

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Response is a rendered response. It can be written any number of times, also concurrently.
// Its header values are shared between responses and must not be modified.
type Response struct {
	code        int
	contentType []string
	length      []string
	body        []byte
}

// New returns a response. contentType is the value of its Content-Type header.
func New(code int, contentType []string, body []byte) *Response {
	return &Response{code, contentType, []string{strconv.Itoa(len(body))}, body}
}

// Write responds to r, a GET or a HEAD, without allocations. The caller sets all other headers.
func (a *Response) Write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Type"] = a.contentType
	header["Content-Length"] = a.length
	w.WriteHeader(a.code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // an error means that the client has gone
	}
}

// ViewCache caches a value that is computed from the published view, for as long as it is valid.
// Concurrent readers wait for the same computation, so that many readers cost no more
// than one. Only responses that are made on demand take its lock.
//
// The zero value is not usable: see [NewViewCache].
type ViewCache[T any] struct {
	published *atomic.Pointer[health.View]
	produce   func(*health.View, time.Time) (T, time.Time)

	mu    sync.Mutex
	from  *health.View // nil: nothing is cached
	until time.Time
	made  T
}

// NewViewCache returns a cache of the value that produce computes from the published view:
// the view that the history has observed, which may be older than the monitor's latest.
// produce returns the value and the time until which it is valid. The zero time means until
// another view is published.
func NewViewCache[T any](published *atomic.Pointer[health.View], produce func(*health.View, time.Time) (T, time.Time)) *ViewCache[T] {
	return &ViewCache[T]{published: published, produce: produce}
}

// Get returns the cached value, or computes it if it is no longer valid.
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

// Forget drops the cached value after another view has been published. Get would not return it
// anyway. Forget does not block: a value that is being computed is dropped the next time.
func (c *ViewCache[T]) Forget() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	var none T
	c.made, c.from = none, nil
}

// Empty reports whether nothing is cached.
func (c *ViewCache[T]) Empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.from == nil
}
