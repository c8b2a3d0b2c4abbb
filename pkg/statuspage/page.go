package statuspage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// The page is one document, one style sheet, one script and one icon per state. Nothing is loaded
// from other hosts, and nothing is built.
var (
	//go:embed assets/page.css
	pageCSS []byte
	//go:embed assets/page.js
	pageJS []byte
	//go:embed assets/icon*.svg
	pageIcons embed.FS
)

// pageHeaders come with the page and its files. Its script and style are files, so
// that none has to be allowed inline.
var pageHeaders = map[string][]string{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

var (
	contentHTML = []string{"text/html; charset=utf-8"}
	noStore     = []string{"no-store"}
	// forGood is for files whose name changes with their content.
	forGood = []string{"public, max-age=31536000, immutable"}
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
	files     map[string]*rendered.Response // by path
	links     pageLinks
	since     time.Time // when it was made: when the sidecar started
	published atomic.Pointer[health.View]
	latest    *rendered.ViewCache[*rendered.Response]
}

// pageLinks are relative, so that the page works below any path of a proxy.
type pageLinks struct {
	Style, Script, Brand string
	Icons                map[string]string // by the state's class
}

// New returns the page of a source and its history. Publish must be called with every new
// view, once the history has observed it.
func New(source Source, history History, options Options) *Page {
	p := &Page{source: source, history: history, options: options, files: map[string]*rendered.Response{}, since: time.Now()}
	p.links = pageLinks{
		Style:  p.addFile("page.css", "text/css; charset=utf-8", pageCSS),
		Script: p.addFile("page.js", "text/javascript; charset=utf-8", pageJS),
		Brand:  p.addIcon("icon.svg"),
		Icons:  map[string]string{},
	}
	for _, status := range health.Statuses() {
		p.links.Icons[status.String()] = p.addIcon("icon-" + status.String() + ".svg")
	}
	p.latest = rendered.NewViewCache(&p.published, p.render)
	p.Publish(source.View())
	return p
}

// Publish has the page show a view. It does not render it.
func (p *Page) Publish(v *health.View) {
	p.published.Store(v)
	p.latest.Forget()
}

// addFile serves a file under a name that holds a hash of it, and returns the link.
func (p *Page) addFile(name, contentType string, content []byte) string {
	hash := sha256.Sum256(content)
	extension := path.Ext(name)
	link := "assets/" + strings.TrimSuffix(name, extension) + "-" + hex.EncodeToString(hash[:6]) + extension
	p.files["/"+link] = rendered.New(http.StatusOK, []string{contentType}, content)
	return link
}

func (p *Page) addIcon(name string) string {
	content, _ := pageIcons.ReadFile("assets/" + name) // the tests ask for each
	return p.addFile(name, "image/svg+xml", content)
}

// Serves reports whether a path is one of the page's, once a slash at its end was cut off.
func (p *Page) Serves(path string) bool { return path == "" || p.files[path] != nil }

// ServeHTTP answers a GET or HEAD of a path that Serves knows.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	file := p.files[path]
	if file == nil && path != "" {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	maps.Copy(header, pageHeaders)
	if file == nil {
		header["Cache-Control"] = noStore
		file = p.latest.Get()
	} else {
		header["Cache-Control"] = forGood
	}
	file.Write(w, r)
}

func (p *Page) render(v *health.View, now time.Time) (page *rendered.Response, until time.Time) {
	v = v.At(now)
	until = now.Add(pageAge)
	if t := v.Until(); !t.IsZero() && t.Before(until) {
		until = t
	}
	var body bytes.Buffer
	_ = p.viewModel(v, now).html().Render(&body) // a buffer takes everything
	return rendered.New(http.StatusOK, contentHTML, body.Bytes()), until
}
