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

// pageAge is the greatest age of a rendered page while there is no new result:
// the page shows ages such as "for 12 s".
const pageAge = time.Second

// Details sets how much the page shows.
type Details string

const (
	// Full shows everything.
	Full Details = "full"
	// Safe withholds names, endpoints, versions and messages.
	Safe Details = "safe"
	// Off shows statuses only.
	Off Details = "off"
)

// Source is the source of the page: the monitor.
type Source interface {
	// View returns the current view.
	View() *health.View
	// Idle returns the time since the scheduler last ran.
	Idle() time.Duration
}

// History is the source of past results. Its slices have the oldest first.
type History interface {
	// Samples returns the results of a service's checks since a time.
	Samples(service string, since time.Time) []health.Sample
	// Changes returns the changes of a service or, for "", of readiness.
	Changes(service string, since time.Time) []health.Change
}

// Options are the options of [New].
type Options struct {
	Details Details
	// Instance and Version identify the sidecar: the name of its
	// Pod or host, and its release. They are shown only with [Full].
	Instance, Version string
}

// Page is the page for people at /, and its files below /assets. It is rendered on demand,
// at most once per second and once per view. Each rendering has a different time, by which the script recognizes an old response that
// a proxy repeats.
type Page struct {
	source    Source
	history   History
	options   Options
	files     *webpage.Files
	since     time.Time // when the sidecar started
	published atomic.Pointer[health.View]
	latest    *rendered.ViewCache[*rendered.Response]
}

// New returns a page for a source and its history. Publish must be called with every new
// view, after the history has observed it.
func New(source Source, history History, options Options) *Page {
	p := &Page{source: source, history: history, options: options, files: webpage.NewFiles(), since: time.Now()}
	p.latest = rendered.NewViewCache(&p.published, p.render)
	p.Publish(source.View())
	return p
}

// Publish sets the view that the page shows. It does not render it.
func (p *Page) Publish(v *health.View) {
	p.published.Store(v)
	p.latest.Forget()
}

// Serves reports whether the page serves a path. A slash at the end of the path must be cut off.
func (p *Page) Serves(path string) bool { return path == "" || p.files.Serves(path) }

// ServeHTTP responds to a GET or HEAD of a path for which Serves reports true.
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
	_ = p.viewModel(v, now).html().Render(&body) // writing to a buffer does not fail
	return webpage.Page(http.StatusOK, body.Bytes()), until
}
