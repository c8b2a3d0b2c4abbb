package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// responseSet holds the answer to every path, as one view gives them. Paths are looked up
// in a map: http.ServeMux would redirect paths such as //health, which are not found here.
type responseSet struct {
	view       *health.View
	stamp      string    // the view's time
	parts      []*part   // one per result of the view
	buffer     []byte    // for the rendering of one answer after the other
	until      time.Time // past it, some answer is no longer true; zero: never
	endpoints  map[string]*endpoint
	dead       *endpoint // in place of /health/live, when the scheduler does not run
	notFound   *rendered.Response
	notAllowed *rendered.Response
}

// endpoint is the answer to one path, by form and by reader.
type endpoint struct {
	live    bool
	answers [2][2]*rendered.Response
}

// part is what one result adds to the answers. Every JSON answer has the time of the latest
// result in it, so that each is written anew for every view; the parts are kept for as long
// as their results are.
type part struct {
	result  health.Result
	details [2]encoded // its object below "details", by reader
	code    int
	head    [2]encoded         // its own answer before that time, by reader
	line    string             // its line in the text of /health
	text    *rendered.Response // its own answer as text, which has no time in it
}

// The forms of an answer.
const (
	asJSON = iota
	asText // ?verbose
)

// peerPath is what other sidecars ask.
const peerPath = "/health/peer"

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

// renderAll renders every answer of a view. Before holds the answers that it replaces, of
// which it takes what is still true; it is nil for the first view.
func renderAll(v *health.View, options Options, before *responseSet) *responseSet {
	results := v.Results()
	details := options.Details
	set := &responseSet{
		view: v, stamp: stamp(v.Time()), parts: make([]*part, len(results)),
		until: v.Until(), endpoints: make(map[string]*endpoint, len(results)+3),
	}
	for i, r := range results {
		if before != nil && i < len(before.parts) && before.parts[i].result.Same(r) {
			set.parts[i] = before.parts[i]
		} else {
			set.parts[i] = newPart(r, details)
		}
	}
	set.endpoints["/health"] = set.endpoint(details, (*responseSet).jsonHealth, (*responseSet).textHealth)
	set.endpoints["/health/ready"] = set.endpoint(details, (*responseSet).jsonReady, (*responseSet).textReady)
	set.endpoints["/health/live"] = set.endpoint(details, (*responseSet).jsonLive, (*responseSet).textLive)
	set.endpoints["/health/live"].live = true
	set.dead = set.endpoint(details, (*responseSet).jsonDead, (*responseSet).textDead)
	paths := options.paths()
	for i, r := range results {
		path := "/health/" + r.Service.Name
		paths = append(paths, path)
		set.endpoints[path] = set.serviceEndpoint(set.parts[i], details)
	}
	set.buffer = nil
	if before != nil {
		set.notFound, set.notAllowed = before.notFound, before.notAllowed
		return set
	}
	set.notFound = rendered.New(http.StatusNotFound, contentJSON,
		object{{"success", false}, {"error", "no such path or service"}, {"paths", paths}}.encode())
	set.notAllowed = rendered.New(http.StatusMethodNotAllowed, contentJSON,
		object{{"success", false}, {"error", "method not allowed: use GET or HEAD"}}.encode())
	return set
}

// paths lists those that do not depend on the services.
func (o Options) paths() []string {
	paths := []string{"/health", "/health/live", "/health/ready"}
	if o.Peer != nil {
		paths = append(paths, peerPath)
	}
	if o.History != nil {
		paths = append(paths, historyPath)
	}
	if o.Page != nil {
		paths = append(paths, "/")
	}
	return paths
}

// eachReader calls render for both readers, or once where both are shown the same.
func eachReader[T any](details Details, render func(reader int, d Details) T) [2]T {
	first := render(anonymous, details)
	if details.withToken() == details {
		return [2]T{anonymous: first, trusted: first}
	}
	return [2]T{anonymous: first, trusted: render(trusted, details.withToken())}
}

// endpoint renders the answer to one path. The text is the same for both readers: it holds nothing
// that a token shows, see TestTextIsTheSameForAll.
func (s *responseSet) endpoint(
	details Details,
	toJSON func(s *responseSet, reader int, d Details) (int, object),
	toText func(s *responseSet, d Details) (int, string),
) *endpoint {
	code, body := toText(s, details)
	text := rendered.New(code, contentText, []byte(body))
	return &endpoint{answers: [2][2]*rendered.Response{
		asJSON: eachReader(details, func(reader int, d Details) *rendered.Response {
			code, body := toJSON(s, reader, d)
			s.buffer = append(body.appendTo(s.buffer[:0]), '\n')
			return rendered.New(code, contentJSON, slices.Clone(s.buffer))
		}),
		asText: {text, text},
	}}
}

func newPart(r health.Result, d Details) *part {
	p := &part{result: r, code: httpCode(r.OK()), line: textLine(r, d)}
	p.details = eachReader(d, func(_ int, d Details) encoded {
		if d == Off {
			return encoded("{}")
		}
		return serviceDetails(r, d).appendTo(nil)
	})
	p.head = eachReader(d, func(reader int, _ Details) encoded {
		return object{{"success", r.OK()}, {"status", r.Status.String()}, {"details", p.details[reader]}}.appendTo(nil)
	})
	code, text := textService(r, p.line)
	p.text = rendered.New(code, contentText, []byte(text))
	return p
}

// serviceEndpoint renders the answer to the path of a part's service.
func (s *responseSet) serviceEndpoint(p *part, details Details) *endpoint {
	return &endpoint{answers: [2][2]*rendered.Response{
		asJSON: eachReader(details, func(reader int, _ Details) *rendered.Response {
			return rendered.New(p.code, contentJSON, p.head[reader].with("timestamp", s.stamp))
		}),
		asText: {p.text, p.text},
	}}
}
