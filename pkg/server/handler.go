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

// Details sets how much a client without the token sees.
type Details string

const (
	// Full shows everything.
	Full Details = "full"
	// Safe shows statuses, reasons and numbers, and withholds names, endpoints,
	// versions and messages. A client with the token sees everything.
	Safe Details = "safe"
	// Off shows only statuses, even with the token.
	Off Details = "off"
)

func (d Details) withToken() Details {
	if d == Safe {
		return Full
	}
	return d
}

// Source is the source of the responses: the monitor.
type Source interface {
	// View returns the current view.
	View() *health.View
	// Idle returns the time since the scheduler last ran.
	Idle() time.Duration
}

// Page is the page for people at /, with its files.
type Page interface {
	// ServeHTTP responds to a GET or HEAD of a path for which Serves reports true. It must be safe
	// for concurrent use.
	http.Handler
	// Serves reports whether the page serves a path. A slash at the end of the path was cut
	// off, so that "/" is "".
	Serves(path string) bool
	// Publish passes a new view to the page, after the history has observed it.
	Publish(v *health.View)
}

// Options set what the handler serves, and how much of it a client sees.
type Options struct {
	Details Details
	// History is the source of /health/history. The handler passes it every view that it is
	// given. Nil: that path is not served.
	History History
	// Page serves the paths that the handler does not know. Nil: they are 404.
	Page Page
	// OperatorPage is used instead of Page if the client is local or sends the token:
	// the same page with more details. Nil: Page is used for all.
	OperatorPage Page
	// Peer serves /health/peer, regardless of Details and of the token. Nil: that path is
	// not served.
	Peer http.Handler
	// Token returns the current HEALTH_TOKEN, or "" for none. It is called for requests
	// with a token, and must not block. Nil: there is none.
	Token func() string
}

// Handler serves /health and the paths below it. Except for requests with a query or a token, and
// responses that are made on demand, it does not allocate.
type Handler struct {
	source    Source
	options   Options
	published atomic.Pointer[health.View]
	responses atomic.Pointer[responseSet]
	history   *rendered.ViewCache[*historyResponse]
}

// NewHandler returns a handler for source. Publish must be called with
// every new view, as [health.Monitor.Subscribe] does.
func NewHandler(source Source, options Options) *Handler {
	h := &Handler{source: source, options: options}
	h.history = rendered.NewViewCache(&h.published, h.renderHistory)
	h.Publish(source.View())
	return h
}

// Publish passes a view to the history, and then renders every response, as it
// is valid now. Views reach the history only here, so that responses that are rendered on
// demand find the view in it. It must not be called by several goroutines at
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

// ServeHTTP writes the response for the request's path.
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
		p = set.notAlive
	}
	p.answers[formOf(r)][h.readerOf(r)].Write(w, r)
}

// serveOnDemand serves the paths that are rendered on request: the response to peers
// is valid only at that moment, and the others are too large to be rendered for every
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

// current returns the published responses or, if they are no longer valid, newly rendered
// ones. These are stored, so that a scheduler that has
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

// carriesToken compares hashes, so that its duration reveals nothing, not even the
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
