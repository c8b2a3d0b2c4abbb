package statuspage

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
	"github.com/reims/reims-health/pkg/webpage"
)

// pageAge is the greatest age of the page that a reader is given while no result comes in:
// it shows times such as "for 12 s".
const pageAge = time.Second

// Details says how much the page shows, to whoever it is served to.
type Details string

const (
	// Full shows everything.
	Full Details = "full"
	// Safe withholds names, endpoints, versions and messages.
	Safe Details = "safe"
	// Off shows statuses only.
	Off Details = "off"
)

// Source is where the page comes from: the monitor.
type Source interface {
	// View returns what is known now.
	View() *health.View
	// Idle is how long the scheduler has not run.
	Idle() time.Duration
}

// History is where the past comes from. What it returns is the oldest first.
type History interface {
	// Samples returns what a service's checks came to from a moment on.
	Samples(service string, since time.Time) []health.Sample
	// Changes returns those of a service or, for "", of readiness.
	Changes(service string, since time.Time) []health.Change
}

// Options are what the page shows beside the view and its history.
type Options struct {
	Details Details
	// Instance and Version tell the readers which sidecar they look at: the name of its
	// Pod or host, and of its release. They are shown with [Full] alone.
	Instance, Version string
}

// Page is the page for people at /, and its files below /assets. It is rendered on demand,
// at most once per second and once per view. Each rendering has another time, by which the script tells it from an old answer that
// a proxy repeats.
type Page struct {
	source    Source
	history   History
	options   Options
	files     *webpage.Files
	since     time.Time // when it was made: when the sidecar started
	published atomic.Pointer[health.View]
	latest    *rendered.ViewCache[*rendered.Response]
}

// New returns the page of a source and its history. Publish must be called with every new
// view, once the history has observed it.
func New(source Source, history History, options Options) *Page {
	p := &Page{source: source, history: history, options: options, files: webpage.NewFiles(), since: time.Now()}
	p.latest = rendered.NewViewCache(&p.published, p.render)
	p.Publish(source.View())
	return p
}

// Publish has the page show a view. It does not render it.
func (p *Page) Publish(v *health.View) {
	p.published.Store(v)
	p.latest.Forget()
}

// Serves reports whether a path is one of the page's, once a slash at its end was cut off.
func (p *Page) Serves(path string) bool { return path == "" || p.files.Serves(path) }

// ServeHTTP answers a GET or HEAD of a path that Serves knows.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == "":
		webpage.WritePage(w, r, p.latest.Get())
	case p.files.Serves(path):
		p.files.Serve(w, r, path)
	default:
		http.NotFound(w, r)
	}
}

func (p *Page) render(v *health.View, now time.Time) (page *rendered.Response, until time.Time) {
	v = v.At(now)
	until = now.Add(pageAge)
	if t := v.Until(); !t.IsZero() && t.Before(until) {
		until = t
	}
	var body bytes.Buffer
	_ = p.viewModel(v, now).html().Render(&body) // a buffer takes everything
	return webpage.Page(http.StatusOK, body.Bytes()), until
}
