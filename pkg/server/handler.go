package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// Details says how much a reader without the token is shown.
type Details string

const (
	// Full shows everything.
	Full Details = "full"
	// Safe shows statuses, reasons and numbers, and withholds names, endpoints,
	// versions and messages. A reader with the token is shown everything.
	Safe Details = "safe"
	// Off shows statuses only, with the token too.
	Off Details = "off"
)

func (d Details) withToken() Details {
	if d == Safe {
		return Full
	}
	return d
}

// Source is where the answers come from: the monitor.
type Source interface {
	// View returns what is known now.
	View() *health.View
	// Idle is how long the scheduler has not run.
	Idle() time.Duration
}

// Page is a page for people at /, and what belongs to it.
type Page interface {
	// ServeHTTP answers a GET or HEAD of a path that Serves knows. It is called by
	// several goroutines at once.
	http.Handler
	// Serves reports whether a path is the page's. A slash at the end of the path was cut
	// off, so that "/" is "".
	Serves(path string) bool
	// Publish tells the page of a view that the history has observed.
	Publish(v *health.View)
}

// Options are what the handler serves, and how much of it a reader is shown.
type Options struct {
	Details Details
	// History answers /health/history. The handler tells it of every view that it is
	// given. Nil: that path is not served.
	History History
	// Page answers the paths that the handler does not know. Nil: they are not found.
	Page Page
	// OperatorPage answers in the place of Page where the reader is local or carries the token:
	// the same page with more details. Nil: Page answers everybody.
	OperatorPage Page
	// Peer answers /health/peer, whatever Details says and with no token. Nil: that path is
	// not served.
	Peer http.Handler
	// Token returns the present HEALTH_TOKEN, or "" for none. It is called by requests
	// that carry one, and must not block. Nil: there is none.
	Token func() string
}

// Handler answers /health and what lies below it. It costs a request no allocation
// of its own.
type Handler struct {
	source    Source
	options   Options
	published atomic.Pointer[health.View]
	responses atomic.Pointer[responseSet]
	history   *rendered.ViewCache[*historyResponse]
}

// NewHandler returns a handler that answers from source. Publish must be called with
// every new view, as [health.Monitor.Subscribe] does.
func NewHandler(source Source, options Options) *Handler {
	h := &Handler{source: source, options: options}
	h.history = rendered.NewViewCache(&h.published, h.renderHistory)
	h.Publish(source.View())
	return h
}

// Publish has the history observe a view, and then renders every answer of it, as it
// must be read now. It is the only way to the history, so that what is rendered on
// demand finds there what the view says. It must not be called by several goroutines at
// once.
func (h *Handler) Publish(v *health.View) {
	if h.options.History != nil {
		h.options.History.Observe(v)
	}
	h.responses.Store(renderAll(v.At(time.Now()), h.options, h.responses.Load()))
	h.published.Store(v)
	h.history.Forget()
	if h.options.Page != nil {
		h.options.Page.Publish(v)
	}
	if h.options.OperatorPage != nil {
		h.options.OperatorPage.Publish(v)
	}
}

// ServeHTTP writes the answer to the request's path.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	set := h.current()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header["Allow"] = allowed
		set.notAllowed.Write(w, r)
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	p, ok := set.endpoints[path]
	if !ok {
		h.serveOnDemand(w, r, path, set.notFound)
		return
	}
	if p.live && h.source.Idle() > health.MaxIdle {
		p = set.dead
	}
	p.answers[formOf(r)][h.readerOf(r)].Write(w, r)
}

// serveOnDemand answers the paths that are rendered when they are asked for: what peers are
// told is true for the moment only, and the others are too large to be rendered for every
// view.
func (h *Handler) serveOnDemand(w http.ResponseWriter, r *http.Request, path string, notFound *rendered.Response) {
	switch {
	case path == peerPath && h.options.Peer != nil:
		h.options.Peer.ServeHTTP(w, r)
	case path == historyPath && h.options.History != nil:
		h.serveHistory(w, r, notFound)
	case h.options.Page != nil && h.options.Page.Serves(path):
		h.pageFor(w, r).ServeHTTP(w, r)
	default:
		notFound.Write(w, r)
	}
}

// current returns the published answers or, where they are no longer true, those
// that are true now. These are kept, so that a scheduler that has
// stopped does not make every request render them again.
func (h *Handler) current() *responseSet {
	set := h.responses.Load()
	if set.until.IsZero() || time.Until(set.until) >= 0 {
		return set
	}
	fresh := renderAll(h.source.View(), h.options, set)
	h.responses.CompareAndSwap(set, fresh) // a view published meanwhile is newer
	return fresh
}

func formOf(r *http.Request) int {
	if r.URL.RawQuery == "" {
		return asJSON
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !query.Has("verbose") {
		return asJSON
	}
	return asText
}

func (h *Handler) readerOf(r *http.Request) int {
	if h.options.Details == Safe && h.carriesToken(r) {
		return trusted
	}
	return anonymous
}

// carriesToken compares hashes, so that the time it takes tells nothing, not even the
// token's length.
func (h *Handler) carriesToken(r *http.Request) bool {
	if h.options.Token == nil || len(r.Header["Authorization"]) == 0 {
		return false
	}
	scheme, given, _ := strings.Cut(r.Header["Authorization"][0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	token := h.options.Token()
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
