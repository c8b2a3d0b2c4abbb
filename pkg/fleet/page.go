package fleet

import (
	"bytes"
	_ "embed" // the style sheet
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
	"github.com/reims/reims-health/pkg/webpage"
)

//go:embed assets/fleet.css
var fleetCSS []byte

// cacheTTL is how long a response is cached, so that many readers cost no more than one.
const cacheTTL = time.Second

// PageOptions are shown in the page's header.
type PageOptions struct {
	// Instance and Version identify this fleet program; both may be empty.
	Instance, Version string
}

// handler serves the pages and the API.
type handler struct {
	c       *Collector
	options PageOptions
	files   *webpage.Files
	cache   responseCache
}

// responseCache keeps responses for [cacheTTL] by name. Responses with 404 are not cached. It
// renders one response at a time.
type responseCache struct {
	rendering sync.Mutex

	mu  sync.Mutex
	all map[string]*cachedResponse
}

type cachedResponse struct {
	until time.Time
	get   func() *rendered.Response
}

// get returns the cached response, or renders it.
func (k *responseCache) get(name string, render func(now time.Time) *rendered.Response) *rendered.Response {
	now := time.Now()
	k.mu.Lock()
	maps.DeleteFunc(k.all, func(_ string, a *cachedResponse) bool { return !now.Before(a.until) })
	a := k.all[name]
	if a == nil {
		a = &cachedResponse{until: now.Add(cacheTTL), get: sync.OnceValue(func() *rendered.Response {
			k.rendering.Lock()
			defer k.rendering.Unlock()
			return render(now)
		})}
		k.all[name] = a
	}
	k.mu.Unlock()
	return a.get()
}

// NewHandler returns the handler of the pages at /, their files, and the API below /api/v1. It
// responds from the newest summaries. Only a request for the details of a Pod makes it ask that Pod.
func NewHandler(c *Collector, o PageOptions) http.Handler {
	p := &handler{c: c, options: o, files: webpage.NewFiles(fleetCSS), cache: responseCache{all: map[string]*cachedResponse{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.all)
	mux.HandleFunc("GET /assets/", p.file)
	mux.HandleFunc("GET /workloads/{namespace}/{name}", p.one)
	mux.HandleFunc("GET /pods/{namespace}/{name}/{pod}", p.pod)
	mux.HandleFunc("GET /api/v1/workloads", p.listWorkloads)
	mux.HandleFunc("GET /api/v1/workloads/{namespace}/{name}", p.oneWorkload)
	mux.HandleFunc("GET /api/v1/workloads/{namespace}/{name}/pods/{pod}", p.onePod)
	mux.HandleFunc("/api/", notFound)
	return mux
}

func (p *handler) file(w http.ResponseWriter, r *http.Request) {
	if !p.files.Serves(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	p.files.Serve(w, r, r.URL.Path)
}

// all serves the page of all workloads.
func (p *handler) all(w http.ResponseWriter, r *http.Request) {
	webpage.WritePage(w, r, p.cache.get("all", func(now time.Time) *rendered.Response {
		return render(http.StatusOK, p.viewModel(p.c.Summaries(), nil, "", now).html())
	}))
}

// one serves the page of one workload, or of its Pods on the node in the query.
func (p *handler) one(w http.ResponseWriter, r *http.Request) {
	const root = "../../"
	s, name := p.summaryOf(r), workloadOf(r).String()
	var node *string
	if query := r.URL.Query(); s != nil && query.Has("node") {
		node = new(query.Get("node"))
		name += "?" + *node
		if !slices.ContainsFunc(s.Pods, func(p PodSummary) bool { return p.Node == *node }) {
			s = nil
		}
	}
	if s == nil {
		p.notFoundPage(w, r, root)
		return
	}
	webpage.WritePage(w, r, p.cache.get(name, func(now time.Time) *rendered.Response {
		v := p.viewModel([]*Summary{s}, node, root, now)
		v.One = true
		v.Title = v.Word + " · " + s.Target.Workload.String()
		return render(http.StatusOK, v.html())
	}))
}

// pod asks one Pod for its details, and serves the page with them.
func (p *handler) pod(w http.ResponseWriter, r *http.Request) {
	const root = "../../../"
	s, pod := p.podOf(r)
	if pod == nil {
		p.notFoundPage(w, r, root)
		return
	}
	details, err := p.c.details(r.Context(), s.Target.Workload, pod.UID)
	if errors.Is(err, errGone) {
		p.notFoundPage(w, r, root)
		return
	}
	code := http.StatusOK
	if err != nil {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	webpage.WritePage(w, r, render(code, p.podPage(s.Target.Workload, pod, details, err, root)))
}

func (p *handler) podPage(name Workload, pod *PodSummary, details podDetails, err error, root string) g.Node {
	now := time.Now()
	worst := health.Unknown
	var summary string
	switch {
	case err != nil:
		summary = webpage.Capital(err.Error()) + "."
	case details.answer.Failure != "":
		summary = "It did not answer just now: " + string(details.answer.Failure) + "."
	default:
		asked := PodSummary{Answer: details.answer}
		worst = bySeverity[worstRank(&asked)]
		summary = "This is what its sidecar says now."
	}
	state := webpage.StateOf(worst)
	ready := "ready"
	if !pod.Ready {
		ready = "not ready"
	}
	links := p.files.Links.Below(root)
	var cards g.Group
	for i, s := range details.answer.Services {
		fills := i == len(details.answer.Services)-1 && i%2 == 0 // the last card of an odd number takes the whole row
		cards = append(cards, s.html(details.facts[s.Name], fills, now))
	}
	return webpage.Document{Title: state.Word + " · " + pod.Name, Icon: links.Icons[state.Class], Links: links, From: from, Period: period}.HTML(
		top(links, strings.TrimSpace(p.options.Instance+" "+p.options.Version), webpage.NewMoment(now, now)),
		h.Main(
			h.P(h.Class("crumb"), h.A(h.Href(root), g.Text("All workloads")), g.Text(" · "),
				h.A(h.Href(root+"workloads/"+name.Namespace+"/"+name.Name), g.Text(name.String()))),
			overall(state, state.Word, summary),
			h.Section(h.Class("fleet"), h.Aria("labelledby", "pod"), h.H2(h.Class("said"), h.ID("pod"), g.Text(pod.Name)),
				h.P(h.Class("counts"), g.Text(strings.Join(nonEmpty(ready, prefixed("zone ", pod.Zone), prefixed("node ", pod.Node), pod.Address.String()), ", ")))),
			h.Div(h.Class("services"), cards),
		),
		footer(root+"api/v1/workloads/"+name.Namespace+"/"+name.Name+"/pods/"+url.PathEscape(pod.Name), "this Pod"),
	)
}

func (s ServiceAnswer) html(facts []fact, fills bool, now time.Time) g.Node {
	state := webpage.StateOf(s.Status)
	words, known := (*health.Kind)(nil).Explain(s.Reason)
	return h.Article(
		h.ID("service-"+s.Name), h.Class(webpage.CardClass(state, fills)), h.Aria("labelledby", "title-"+s.Name),
		h.Header(
			h.H3(h.ID("title-"+s.Name), g.Text(s.Name)),
			h.P(h.Class("state"), state.Sign(), h.Span(webpage.Was(), g.Text(state.Word))),
			g.If(!s.Since.IsZero(), g.Group{h.P(h.Class("since"), g.Text("since "), webpage.NewMoment(s.Since, now).HTML())}),
		),
		g.If(s.Reason != "", h.P(h.Class("trouble"), h.Code(g.Text(string(s.Reason))), g.If(known, g.Text(" "+words.Message)))),
		g.If(len(facts) > 0, h.Dl(h.Class("facts"), g.Map(facts, func(f fact) g.Node {
			return h.Div(g.If(len(f.Value) > 16, h.Class("wide")), h.Dt(g.Text(strings.ReplaceAll(f.Name, "_", " "))), h.Dd(h.Class("name"), g.Text(f.Value)))
		}))),
	)
}

// notFoundPage responds that the workload or the Pod does not exist.
func (p *handler) notFoundPage(w http.ResponseWriter, r *http.Request, root string) {
	now := time.Now()
	links := p.files.Links.Below(root)
	webpage.WritePage(w, r, render(http.StatusNotFound, webpage.Document{Title: "Not found", Icon: links.Icons["unknown"], Links: links, From: from, Period: period}.HTML(
		top(links, "", webpage.NewMoment(now, now)),
		h.Main(overall(webpage.StateOf(health.Unknown), "Not found", "This workload, node or Pod does not exist, or the first round of the workload is not over yet."),
			h.P(h.Class("crumb"), h.A(h.Href(root), g.Text("All workloads")))),
		footer(root+"api/v1/workloads", "workloads"),
	)))
}

func render(code int, page g.Node) *rendered.Response {
	var body bytes.Buffer
	_ = page.Render(&body) // writing to a buffer does not fail
	return webpage.Page(code, body.Bytes())
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func nonEmpty(words ...string) []string {
	var all []string
	for _, w := range words {
		if w != "" {
			all = append(all, w)
		}
	}
	return all
}

func number(n int) string { return strconv.Itoa(n) }
