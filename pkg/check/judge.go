package check

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// dateSlack is for the answer's Date, which counts whole seconds.
const dateSlack = 2 * time.Second

// Readiness: where it is asked for, and what it is.
const (
	readyPath       = "/health/ready"
	ready, notReady = "ready", "not_ready"
)

// judge holds answers against the contract.
type judge struct {
	// maxAge is how old the timestamp of an answer may be.
	maxAge time.Duration
	// health is the latest /health, which the others must agree with.
	health *Health
	kinds  kinds
	// paths are those that the sidecar says it has.
	paths []string
}

func (j *judge) all(a *Answer) (*Health, finding) {
	var (
		f finding
		h Health
	)
	if !f.decode(a, &h, "success", "status", "services", "details", "timestamp", "check_duration_ms") {
		return &h, f
	}
	h.Status = Printable(h.Status)
	f.code(a, h.Status, health.Unhealthy.String())
	f.fresh(a, h.Timestamp, j.maxAge)
	f.want(h.Success == (a.Code == http.StatusOK), "success is %t with code %d", h.Success, a.Code)
	f.want(len(h.Services) > 0, "there are no services")
	var troubled []string
	for _, name := range h.Services.Keys() {
		status := h.Services.Text(name)
		f.status("services."+name, status)
		if status != health.Healthy.String() {
			troubled = append(troubled, strings.TrimSpace(name+" "+status+" "+h.Detail(name).Text("reason")))
		}
	}
	f.want((h.Status == health.Healthy.String()) == (len(troubled) == 0), "status is %s, and not healthy are %d services", h.Status, len(troubled))
	f.details(&h, j.kinds)
	f.degraded = h.Status == health.Degraded.String()
	f.note = strings.Join(append([]string{h.Status}, troubled...), "; ")
	return &h, f
}

// details must be there for every service, or for none.
func (f *finding) details(h *Health, kinds kinds) {
	if len(h.Details) == 0 {
		return
	}
	f.want(slices.Equal(h.Details.Keys(), h.Services.Keys()), "details has %s, and services has %s",
		strings.Join(h.Details.Keys(), ", "), strings.Join(h.Services.Keys(), ", "))
	for _, name := range h.Details.Keys() {
		f.detail("details."+name, h.Services.Text(name), h.Detail(name), kinds)
	}
}

// detail holds one service's details against its status.
func (f *finding) detail(at, status string, o Object, kinds kinds) {
	if len(o) == 0 {
		return
	}
	reason := o.Text("reason")
	switch {
	case status == health.Healthy.String():
		f.want(reason == "", "%s is healthy with the reason %s", at, reason)
	case reason != string(health.ReasonNoResult) && !slices.Contains(health.Reasons(kinds...), health.Reason(reason)):
		f.wrong("%s is %s with the reason %q, which is none", at, status, reason)
	}
	f.scope(at, o)
	if _, given := o.Get("latency_ms"); given {
		latency, ok := o.Number("latency_ms")
		f.want(ok && latency > 0, "%s.latency_ms is no time", at)
	}
	for _, key := range []string{"checked_at", "since"} {
		if value, given := o.Get(key); given {
			_, err := time.Parse(time.RFC3339, o.Text(key))
			f.want(err == nil, "%s.%s is no time: %s", at, key, value)
		}
	}
}

// scope judges what details say of whose a fault is; nothing where no peers are asked.
func (f *finding) scope(at string, o Object) {
	scope := o.Text("fault_scope")
	if _, given := o.Get("fault_scope"); !given {
		return
	}
	f.want(slices.Contains(health.Scopes(), health.Scope(scope)), "%s.fault_scope is %q, which is none", at, scope)
	if !counted(o) && scope != string(health.ScopeShared) {
		return // it rests on no answers, such as that of a stale result
	}
	for _, key := range peerCounts() {
		n, ok := o.Number(key)
		f.want(ok && n >= 0, "%s.%s is no count", at, key)
	}
}

// peerCounts are the keys that tell what a scope rests on: all of them are there, or none.
func peerCounts() []string { return []string{"peers_asked", "peers_failing", "peers_sound"} }

// counted reports whether details have a count of peers.
func counted(o Object) bool {
	return slices.ContainsFunc(peerCounts(), func(key string) bool {
		_, given := o.Get(key)
		return given
	})
}

// scopeText says whose a fault is, with the counts of peers where there are any: "shared
// (11 of 12 peers see it too)". It is empty where no peers are asked.
func scopeText(o Object) string {
	scope := o.Text("fault_scope")
	failing, _ := o.Number("peers_failing")
	asked, _ := o.Number("peers_asked")
	switch s := health.Scope(scope); {
	case counted(o) && (s == health.ScopeShared || s == health.ScopeLocal):
		return fmt.Sprintf("%s (%.0f of %.0f peers see it too)", scope, failing, asked)
	default:
		return scope
	}
}

func (j *judge) service(a *Answer, name string) (*Service, finding) {
	var (
		f finding
		s Service
	)
	if !f.decode(a, &s, "success", "status", "details", "timestamp") {
		return &s, f
	}
	s.Status = Printable(s.Status)
	f.code(a, s.Status, health.Unhealthy.String(), health.Unknown.String())
	f.fresh(a, s.Timestamp, j.maxAge)
	f.want(s.Success == (a.Code == http.StatusOK), "success is %t with code %d", s.Success, a.Code)
	f.detail("details", s.Status, s.Details, j.kinds)
	if status := j.health.Services.Text(name); status != s.Status {
		f.conflict = "/health says that it is " + status
	}
	f.degraded = s.Status == health.Degraded.String()
	f.next, f.docs = s.Details.Text("next_step"), s.Details.Text("docs")
	f.note = strings.Join(NonEmpty(s.Status, s.Details.Text("reason"), s.Details.Text("message"), scopeText(s.Details)), ": ")
	return &s, f
}

func (j *judge) ready(a *Answer) finding {
	var (
		f finding
		r readiness
	)
	keys := []string{"status"}
	for _, name := range j.kinds.inReady() {
		if _, there := j.health.Services.Get(name); there {
			keys = append(keys, name)
		}
	}
	services := keys[1:]
	if !f.decode(a, &r, append(slices.Clone(keys), "timestamp")...) {
		return f
	}
	f.want(r.Status == ready || r.Status == notReady, "status is %q: want ready or not_ready", r.Status)
	f.codeIs(a, r.Status == notReady, r.Status)
	f.fresh(a, r.Timestamp, j.maxAge)
	var statuses Object
	_ = json.Unmarshal(a.Body, &statuses) // it has been decoded once
	for _, name := range services {
		if status, here := j.health.Services.Text(name), Printable(statuses.Text(name)); status != here {
			f.conflict = "it says that " + name + " is " + here + ", and /health that it is " + status
		}
	}
	for _, name := range r.Details.Keys() {
		h := Health{Details: r.Details}
		f.scope("details."+name, h.Detail(name))
	}
	f.note = strings.Join(append([]string{strings.ReplaceAll(r.Status, "_", " ")}, causes(r.Details)...), "; ")
	return f
}

func (j *judge) live(a *Answer) finding {
	var (
		f finding
		r readiness
	)
	if !f.decode(a, &r, "status", "timestamp") {
		return f
	}
	f.want(r.Status == "alive" || r.Status == "not_alive", "status is %q: want alive or not_alive", r.Status)
	f.codeIs(a, r.Status == "not_alive", r.Status)
	f.fresh(a, r.Timestamp, j.maxAge)
	f.note = r.Status
	return f
}

// code holds the answer's code against its status: 503 exactly for those that are
// down.
func (f *finding) code(a *Answer, status string, down ...string) {
	f.status("status", status)
	f.codeIs(a, slices.Contains(down, status), status)
}

func (f *finding) codeIs(a *Answer, down bool, status string) {
	want := http.StatusOK
	if down {
		want = http.StatusServiceUnavailable
	}
	f.want(a.Code == want, "the code is %d with the status %s: want %d", a.Code, status, want)
	f.down = a.Code != http.StatusOK
}

func (f *finding) status(at, status string) {
	f.want(slices.ContainsFunc(health.Statuses(), func(s health.Status) bool { return s.String() == status }),
		"%s is %q, which is no status", at, status)
}

// fresh holds the timestamp against the clock of the machine that answers, as its
// Date header gives it, so that a difference between its clock and ours does not
// matter. Age is what a cache in between adds.
func (f *finding) fresh(a *Answer, timestamp time.Time, maxAge time.Duration) {
	now, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		now = a.At
	}
	cached, _ := time.ParseDuration(a.Header.Get("Age") + "s") // none is zero
	age := now.Sub(timestamp) + cached
	f.want(age <= maxAge+dateSlack, "the timestamp is %s old: the sidecar hangs, or a cache answers for it", age.Round(time.Second))
	f.want(age >= -dateSlack, "the timestamp is %s ahead of the answer's Date", (-age).Round(time.Second))
}

// causes lists why a Pod is not ready, or only just.
func causes(details Object) []string {
	var all []string
	for _, name := range details.Keys() {
		h := Health{Details: details}
		cause := h.Detail(name)
		text := name + " " + cause.Text("reason")
		if scope := scopeText(cause); scope != "" {
			text += ", " + scope
		}
		if held, _ := cause.Get("held"); string(held) == "true" {
			text += ": held"
		}
		all = append(all, text)
	}
	return all
}

// NonEmpty returns the texts that are not empty.
func NonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// verbose judges the plain-text form of an endpoint, whose last line has its name. It
// must have a line for each of the names.
func (j *judge) verbose(a *Answer, endpoint string, names []string) finding {
	var f finding
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		f.wrong("the type is %q: want text/plain", kind)
		return f
	}
	f.want(a.Code == http.StatusOK || a.Code == http.StatusServiceUnavailable, "the code is %d: want 200 or 503", a.Code)
	f.down = a.Code != http.StatusOK
	lines := strings.Split(strings.TrimSuffix(string(a.Body), "\n"), "\n")
	verdict, bad := "passed", 0
	if f.down {
		verdict = "failed"
	}
	last := fmt.Sprintf("%s check %s", endpoint, verdict)
	f.want(lines[len(lines)-1] == last, "the last line is %q: want %q", lines[len(lines)-1], last)
	f.want(len(lines) <= maxKeys, "there are %d lines: want no more than %d", len(lines), maxKeys)
	for i, line := range lines[:min(len(lines), maxKeys)-1] {
		if strings.HasPrefix(line, "[-]") {
			bad++
			f.note = strings.Join(NonEmpty(f.note, Printable(line)), "; ")
		}
		f.want(strings.HasPrefix(line, "[+]") || strings.HasPrefix(line, "[-]"), "line %d is %q: want [+] or [-]", i+1, line)
	}
	for _, name := range names {
		f.want(slices.ContainsFunc(lines, func(line string) bool { return lineOn(line, name) }), "there is no line on %s", name)
	}
	if f.note == "" {
		f.note = fmt.Sprintf("%d lines, %s", len(lines), verdict)
	}
	return f
}

func lineOn(line, name string) bool {
	return strings.HasPrefix(line, "[+]"+name+" ") || strings.HasPrefix(line, "[-]"+name+" ")
}

// unknown judges the answer for a service that does not exist.
func (j *judge) unknown(a *Answer) finding {
	var (
		f finding
		u unknownPath
	)
	if !f.decode(a, &u, "success", "error", "paths") {
		return f
	}
	f.want(a.Code == http.StatusNotFound, "the code is %d: want 404", a.Code)
	f.want(!u.Success, "success is true")
	for _, name := range j.health.Services.Keys() {
		f.want(slices.Contains(u.Paths, "/health/"+name), "/health/%s is not among the paths that it lists", name)
	}
	f.want(len(u.Paths) <= maxKeys, "it lists %d paths: want no more than %d", len(u.Paths), maxKeys)
	j.paths = nil
	for _, path := range u.Paths[:min(len(u.Paths), maxKeys)] {
		j.paths = append(j.paths, Printable(path))
	}
	f.note = "no such service; all paths are listed"
	return f
}

// token judges whether the token counts: an answer that it opens names things.
func (j *judge) token(h *Health) finding {
	var f finding
	switch {
	case len(h.Details) == 0:
		f.note = "no details for anybody: HEALTH_DETAILS=off"
	case j.kinds.withheld(h):
		f.wrong("the token is not HEALTH_TOKEN: names and messages are withheld, as from anybody")
	default:
		f.note = "accepted, or not needed: nothing is withheld"
	}
	return f
}
