package server

import (
	"net/http"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// book holds the answer to every path, as one view gives them.
type book struct {
	until      time.Time // past it, some answer is no longer true; zero: never
	pages      map[string]*page
	dead       *page // in place of /health/live, when the scheduler does not run
	notFound   *rendered.Response
	notAllowed *rendered.Response
}

// page is the answer to one path, by form and by reader.
type page struct {
	live    bool
	answers [2][2]*rendered.Response
}

// The forms of an answer.
const (
	asJSON = iota
	asText // ?verbose
)

// The readers.
const (
	anonymous = iota
	trusted   // holds the token
)

var (
	contentJSON = []string{"application/json"}
	contentText = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	allowed     = []string{"GET, HEAD"}
)

// bind renders every answer of a view.
func bind(v *health.View, options Options) *book {
	details := options.Details
	b := &book{until: v.Until(), pages: map[string]*page{}}
	b.pages["/health"] = newPage(v, details, renderHealth, verboseHealth)
	b.pages["/health/ready"] = newPage(v, details, renderReady, verboseReady)
	b.pages["/health/live"] = newPage(v, details, renderLive, verboseLive)
	b.pages["/health/live"].live = true
	b.dead = newPage(v, details, renderDead, verboseDead)
	paths := options.paths()
	for _, r := range v.Results() {
		path := "/health/" + r.Service.Name
		paths = append(paths, path)
		b.pages[path] = newPage(v, details,
			func(v *health.View, d Details) (int, object) { return renderService(v, r, d) },
			func(_ *health.View, d Details) (int, string) { return verboseService(r, d) })
	}
	b.notFound = rendered.New(http.StatusNotFound, contentJSON,
		object{{"success", false}, {"error", "no such path or service"}, {"paths", paths}}.encode())
	b.notAllowed = rendered.New(http.StatusMethodNotAllowed, contentJSON,
		object{{"success", false}, {"error", "method not allowed: use GET or HEAD"}}.encode())
	return b
}

// paths lists those that do not depend on the services.
func (o Options) paths() []string {
	paths := []string{"/health", "/health/live", "/health/ready"}
	if o.History != nil {
		paths = append(paths, pastPath)
	}
	if o.Page != nil {
		paths = append(paths, "/")
	}
	return paths
}

func newPage(
	v *health.View, details Details,
	toJSON func(*health.View, Details) (int, object),
	toText func(*health.View, Details) (int, string),
) *page {
	var p page
	for reader, d := range [...]Details{anonymous: details, trusted: details.withToken()} {
		code, body := toJSON(v, d)
		p.answers[asJSON][reader] = rendered.New(code, contentJSON, body.encode())
		code, text := toText(v, d)
		p.answers[asText][reader] = rendered.New(code, contentText, []byte(text))
	}
	return &p
}
