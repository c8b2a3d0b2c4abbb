package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

const (
	historyPath = "/health/history"
	// historySpan is the longest time that a request can ask for, and the default.
	historySpan = time.Hour
)

// History is the source of past results. Its slices have the oldest first, and belong to the caller.
type History interface {
	// Observe stores the new results of a view. It must not block.
	Observe(v *health.View)
	// Samples returns the results of a service's checks since a time.
	Samples(service string, since time.Time) []health.Sample
	// Changes returns the changes of a service or, for "", of readiness.
	Changes(service string, since time.Time) []health.Change
}

// historyResponse is /health/history for one view: rendered once, in pieces. A
// response has the pieces that it needs.
type historyResponse struct {
	services  []historyService
	readiness jsonArray
	stamp     string
}

type historyService struct {
	name             string
	key, latencies   []byte
	results, changes jsonArray
}

func (h *Handler) renderHistory(v *health.View, now time.Time) (*historyResponse, time.Time) {
	p, since := &historyResponse{stamp: stamp(v.Time())}, now.Add(-historySpan)
	d := h.options.Details
	for _, r := range v.Results() {
		name := r.Service.Name
		key, _ := json.Marshal(name) // a string can always be encoded
		samples := h.options.History.Samples(name, since)
		p.services = append(p.services, historyService{
			name: name, key: key,
			latencies: latencies(samples, d),
			results:   newJSONArray(samples, sampleTime, func(s health.Sample) sampleDocument { return newSampleDocument(s, d) }),
			changes:   newChanges(h.options.History.Changes(name, since), d),
		})
	}
	p.readiness = newChanges(h.options.History.Changes("", since), d)
	return p, time.Time{}
}

func newChanges(changes []health.Change, d Details) jsonArray {
	if d == Off { // statuses only: omit changes of the reason
		changes = slices.DeleteFunc(changes, func(c health.Change) bool { return c.From == c.To })
	}
	return newJSONArray(changes, changeTime, func(c health.Change) changeDocument { return newChangeDocument(c, d) })
}

// historyQuery is the parsed query of /health/history.
type historyQuery struct {
	service string // "" is all
	since   time.Time
}

var errSince = errors.New("since: a duration above zero, such as 15m, or a time in RFC 3339, such as 2026-01-31T12:00:00Z")

// parseHistoryQuery parses the query. It ignores unknown parameters, as all paths do.
func parseHistoryQuery(raw string, now time.Time) (historyQuery, error) {
	q := historyQuery{since: now.Add(-historySpan)}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("query: not in the form name=value&name=value, escaped as in a URL")
	}
	q.service = query.Get("service")
	text := query.Get("since")
	if text == "" {
		return q, nil
	}
	// An offset such as +02:00 whose sign was not escaped arrives with a space.
	since, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err != nil {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return q, errSince
		}
		since = now.Add(-min(d, historySpan))
	}
	if since.After(now) {
		since = now
	}
	if since.After(q.since) {
		q.since = since
	}
	return q, nil
}

func (h *Handler) serveHistory(w http.ResponseWriter, r *http.Request, notFound *rendered.Response) {
	q, err := parseHistoryQuery(r.URL.RawQuery, time.Now())
	if err != nil {
		rendered.New(http.StatusBadRequest, contentJSON, object{{"success", false}, {"error", err.Error()}}.encode()).Write(w, r)
		return
	}
	p := h.history.Get()
	if q.service != "" && !slices.ContainsFunc(p.services, func(s historyService) bool { return s.name == q.service }) {
		notFound.Write(w, r)
		return
	}
	writePieces(w, r, p.answer(q))
}

// answer returns the pieces of the body.
func (p *historyResponse) answer(q historyQuery) [][]byte {
	pieces := [][]byte{[]byte(`{"success":true,"since":"` + stamp(q.since) + `","services":{`)}
	first := true
	for _, s := range p.services {
		if q.service != "" && s.name != q.service {
			continue
		}
		if !first {
			pieces = append(pieces, []byte(","))
		}
		first = false
		pieces = append(pieces, s.key, []byte(":{"), s.latencies,
			[]byte(`"results":[`), s.results.since(q.since), []byte(`],"changes":[`), s.changes.since(q.since), []byte("]}"))
	}
	pieces = append(pieces, []byte("}"))
	if q.service == "" {
		pieces = append(pieces, []byte(`,"readiness":[`), p.readiness.since(q.since), []byte("]"))
	}
	return append(pieces, []byte(`,"timestamp":"`+p.stamp+"\"}\n"))
}

func writePieces(w http.ResponseWriter, r *http.Request, pieces [][]byte) {
	length := 0
	for _, piece := range pieces {
		length += len(piece)
	}
	header := w.Header()
	header["Content-Type"] = contentJSON
	header["Content-Length"] = []string{strconv.Itoa(length)}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil { //nolint:gosec // JSON of our own results, which no browser takes for a page (nosniff)
			return // a reader that has gone needs no answer
		}
	}
}

// jsonArray is the inside of a JSON array of events, the oldest first. The elements
// since any time are its end, so one rendering serves every request for a view.
// Encoding the results of an hour with encoding/json would take 2 ms and 200 KB
// per request.
type jsonArray struct {
	times  []int64 // of each element, in Unix milliseconds
	begins []int   // of each element, in body
	body   []byte
}

// newJSONArray renders the document of each element.
func newJSONArray[E, D any](elements []E, timeOf func(E) time.Time, document func(E) D) jsonArray {
	a := jsonArray{
		times: make([]int64, 0, len(elements)), begins: make([]int, 0, len(elements)),
		body: make([]byte, 0, 80*len(elements)),
	}
	for i, e := range elements {
		if i > 0 {
			a.body = append(a.body, ',')
		}
		a.times = append(a.times, timeOf(e).UnixMilli())
		a.begins = append(a.begins, len(a.body))
		a.body = appendAny(a.body, document(e))
	}
	return a
}

// since returns the elements since a time.
func (a jsonArray) since(from time.Time) []byte {
	for i, t := range a.times {
		if t >= from.UnixMilli() {
			return a.body[a.begins[i]:]
		}
	}
	return nil
}

func sampleTime(s health.Sample) time.Time { return s.Time }
func changeTime(c health.Change) time.Time { return c.Time }

// sampleDocument is the result of one check.
type sampleDocument struct {
	Time      string        `json:"time"`
	Status    string        `json:"status"`
	LatencyMS float64       `json:"latency_ms,omitzero"`
	Reason    health.Reason `json:"reason,omitempty"`
}

func newSampleDocument(s health.Sample, d Details) sampleDocument {
	document := sampleDocument{Time: stamp(s.Time), Status: s.Status.String()}
	if d != Off {
		document.LatencyMS, document.Reason = millis(s.Latency), s.Reason
	}
	return document
}

// changeDocument is one change of a status or of readiness.
type changeDocument struct {
	Time   string        `json:"time"`
	From   string        `json:"from"`
	To     string        `json:"to"`
	Reason health.Reason `json:"reason,omitempty"`
}

func newChangeDocument(c health.Change, d Details) changeDocument {
	document := changeDocument{Time: stamp(c.Time), From: c.From, To: c.To}
	if d != Off {
		document.Reason = c.Reason
	}
	return document
}

// latencies returns the JSON members with the latencies of a service, each followed by a
// comma; none if they are withheld or no check got an answer.
func latencies(samples []health.Sample, d Details) []byte {
	quantiles := health.Quantiles(samples, 0.5, 0.99)
	if d == Off || quantiles == nil {
		return nil
	}
	members := object{{"latency_p50_ms", millis(quantiles[0])}, {"latency_p99_ms", millis(quantiles[1])}}.appendTo(nil)
	members[len(members)-1] = ','
	return members[1:]
}
