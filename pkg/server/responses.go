package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// responseSet has the response to every path for one view. Paths are looked up
// in a map: http.ServeMux would redirect paths such as //health, which are 404 here.
type responseSet struct {
	view       *health.View
	stamp      string              // the view's time
	parts      []*serviceResponses // one per result of the view
	buffer     []byte              // for the rendering of one answer after the other
	until      time.Time           // then some response is no longer valid; zero: never
	endpoints  map[string]*endpoint
	notAlive   *endpoint // in place of /health/live, when the scheduler does not run
	notFound   *rendered.Response
	notAllowed *rendered.Response
}

// endpoint has the responses to one path, by format and by reader.
type endpoint struct {
	live    bool
	answers [2][2]*rendered.Response
}

// serviceResponses has what one result adds to the responses. Every JSON response has the time of the latest
// result, so it is rendered again for every view; these parts are reused for as long
// as the result is the same.
type serviceResponses struct {
	result     health.Result
	details    [2]encoded // its object below "details", by reader
	code       int
	jsonPrefix [2]encoded         // its own answer before that time, by reader
	line       string             // its line in the text of /health
	text       *rendered.Response // its own answer as text, which has no time in it
}

// The formats of a response.
const (
	asJSON = iota
	asText // ?verbose
)

// peerPath is the path that other sidecars request.
const peerPath = "/health/peer"

// The readers.
const (
	anonymous = iota
	trusted   // sends the token
)

var (
	contentJSON = []string{"application/json"}
	contentText = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	allowed     = []string{"GET, HEAD"}
)

// renderAll renders every response for a view. before has the responses that it replaces; it
// reuses what is still valid. before is nil for the first view.
func renderAll(v *health.View, options Options, before *responseSet) *responseSet {
	results := v.Results()
	details := options.Details
	set := &responseSet{
		view: v, stamp: stamp(v.Time()), parts: make([]*serviceResponses, len(results)),
		until: v.Until(), endpoints: make(map[string]*endpoint, len(results)+3),
	}
	for i, r := range results {
		if before != nil && i < len(before.parts) && before.parts[i].result.Same(r) {
			set.parts[i] = before.parts[i]
		} else {
			set.parts[i] = newServiceResponses(r, details)
		}
	}
	set.endpoints["/health"] = set.endpoint(details, (*responseSet).jsonHealth, (*responseSet).textHealth)
	set.endpoints["/health/ready"] = set.endpoint(details, (*responseSet).jsonReady, (*responseSet).textReady)
	set.endpoints["/health/live"] = set.endpoint(details, (*responseSet).jsonLive, (*responseSet).textLive)
	set.endpoints["/health/live"].live = true
	set.notAlive = set.endpoint(details, (*responseSet).jsonNotAlive, (*responseSet).textNotAlive)
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

// paths returns the paths that do not depend on the services.
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

// eachReader calls render for both readers, or only once if both see the same.
func eachReader[T any](details Details, render func(reader int, d Details) T) [2]T {
	first := render(anonymous, details)
	if details.withToken() == details {
		return [2]T{anonymous: first, trusted: first}
	}
	return [2]T{anonymous: first, trusted: render(trusted, details.withToken())}
}

// endpoint renders the responses to one path. The text is the same for both readers: it has nothing
// that needs a token; see TestTextIsTheSameForAll.
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

func newServiceResponses(r health.Result, d Details) *serviceResponses {
	p := &serviceResponses{result: r, code: httpCode(r.OK()), line: textLine(r, d)}
	p.details = eachReader(d, func(_ int, d Details) encoded {
		if d == Off {
			return encoded("{}")
		}
		return serviceDetails(r, d).appendTo(nil)
	})
	p.jsonPrefix = eachReader(d, func(reader int, _ Details) encoded {
		return object{{"success", r.OK()}, {"status", r.Status.String()}, {"details", p.details[reader]}}.appendTo(nil)
	})
	code, text := textService(r, p.line)
	p.text = rendered.New(code, contentText, []byte(text))
	return p
}

// serviceEndpoint renders the responses to the path of a service.
func (s *responseSet) serviceEndpoint(p *serviceResponses, details Details) *endpoint {
	return &endpoint{answers: [2][2]*rendered.Response{
		asJSON: eachReader(details, func(reader int, _ Details) *rendered.Response {
			return rendered.New(p.code, contentJSON, p.jsonPrefix[reader].appendMember("timestamp", s.stamp))
		}),
		asText: {p.text, p.text},
	}}
}
