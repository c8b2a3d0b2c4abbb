package server

import (
	"net/http"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// responseSet holds the answer to every path, as one view gives them. Paths are looked up
// in a map: http.ServeMux would redirect paths such as //health, which are not found here.
type responseSet struct {
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

// renderAll renders every answer of a view.
func renderAll(v *health.View, options Options) *responseSet {
	details := options.Details
	set := &responseSet{until: v.Until(), endpoints: map[string]*endpoint{}}
	set.endpoints["/health"] = newEndpoint(v, details, jsonHealth, textHealth)
	set.endpoints["/health/ready"] = newEndpoint(v, details, jsonReady, textReady)
	set.endpoints["/health/live"] = newEndpoint(v, details, jsonLive, textLive)
	set.endpoints["/health/live"].live = true
	set.dead = newEndpoint(v, details, jsonDead, textDead)
	paths := options.paths()
	for _, r := range v.Results() {
		path := "/health/" + r.Service.Name
		paths = append(paths, path)
		set.endpoints[path] = newEndpoint(v, details,
			func(v *health.View, d Details) (int, object) { return jsonService(v, r, d) },
			func(_ *health.View, d Details) (int, string) { return textService(r, d) })
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

func newEndpoint(
	v *health.View, details Details,
	toJSON func(*health.View, Details) (int, object),
	toText func(*health.View, Details) (int, string),
) *endpoint {
	var p endpoint
	for reader, d := range [...]Details{anonymous: details, trusted: details.withToken()} {
		code, body := toJSON(v, d)
		p.answers[asJSON][reader] = rendered.New(code, contentJSON, body.encode())
		code, text := toText(v, d)
		p.answers[asText][reader] = rendered.New(code, contentText, []byte(text))
	}
	return &p
}
