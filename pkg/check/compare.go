package check

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what a difference is.
type Kind string

// The kinds of difference.
const (
	// Measured is a value that is another one at each moment, such as a latency.
	Measured Kind = "measured"
	// Meant is a difference that the predecessor's users were told of.
	Meant Kind = "meant"
	// Unmeant is any other.
	Unmeant Kind = "unmeant"
)

// Difference is one field in which two answers to the same request differ.
type Difference struct {
	Path string `json:"path"`
	// Field leads to it, such as details.redis.version; it is [FieldCode] or
	// [FieldAnswer] for what is not in the body.
	Field string `json:"field"`
	// Old and New are the values as sent; nil where there is none.
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
	Kind Kind            `json:"kind"`
	// Why says why it is meant.
	Why string `json:"why,omitempty"`
}

// Fields that are not of the body.
const (
	FieldCode   = "HTTP code"
	FieldAnswer = "answer"
)

// Comparison is a sidecar held against the predecessor.
type Comparison struct {
	Old string `json:"old"`
	New string `json:"new"`
	// Success says that every difference is meant, or measured.
	Success     bool         `json:"success"`
	Differences []Difference `json:"differences"`
	// Counts of the fields.
	Same     int `json:"same"`
	Measured int `json:"measured"`
	Meant    int `json:"meant"`
	Unmeant  int `json:"unmeant"`
}

// Compare asks the predecessor and the sidecar for the same paths, one after the
// other. The error says that one of them does not answer at all.
func Compare(ctx context.Context, predecessor, sidecar *Client) (*Comparison, error) {
	c := &Comparison{Old: predecessor.URL(), New: sidecar.URL(), Success: true, Differences: []Difference{}}
	now, err := sidecar.health(ctx)
	if err != nil {
		return nil, err
	}
	names, err := services(ctx, predecessor, now)
	if err != nil {
		return nil, err
	}
	var h Health
	_ = json.Unmarshal(now.Body, &h) // as far as it goes
	paths := []string{"/health"}
	for _, name := range names {
		paths = append(paths, "/health/"+url.PathEscape(name))
	}
	for _, path := range append(paths, "/health/ready", "/health/live") {
		before, err1 := predecessor.Get(ctx, path)
		after, err2 := sidecar.Get(ctx, path)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.answers(&pair{path: path, old: read(before), new: read(after), withheld: sidecar.kinds().withheld(&h), kinds: sidecar.kinds()}, err1, err2)
	}
	return c, nil
}

// services are those of both, the sidecar's first. A predecessor that hangs with its
// dependencies has none of its own.
func services(ctx context.Context, predecessor *Client, sidecar *Answer) ([]string, error) {
	names := read(sidecar).under("services")
	b, err := predecessor.health(ctx)
	if err != nil {
		live, err2 := predecessor.Get(ctx, "/health/live")
		if err2 != nil || foreign(live) != "" {
			return nil, err
		}
		return names, nil
	}
	for _, name := range read(b).under("services") {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// answers compares two answers, field by field.
func (c *Comparison) answers(p *pair, err1, err2 error) {
	if err1 != nil || err2 != nil || p.old.strange != "" || p.new.strange != "" {
		p.hung = errors.Is(err1, errTimeout)
		c.differ(p, &field{name: FieldAnswer, old: said(err1, p.old), new: said(err2, p.new)})
		return
	}
	c.add(p, &field{name: FieldCode, old: number(p.old.code), new: number(p.new.code)})
	for _, f := range p.new.fields {
		if old, there := p.old.fields.Get(f.Key); there || !f.within(p.old) {
			c.add(p, &field{name: f.Key, old: old, new: f.Value})
		}
	}
	for _, f := range p.old.fields {
		if _, there := p.new.fields.Get(f.Key); !there && !f.within(p.new) {
			c.add(p, &field{name: f.Key, old: f.Value})
		}
	}
}

func (c *Comparison) add(p *pair, f *field) {
	if equal(f.old, f.new) {
		c.Same++
		return
	}
	c.differ(p, f)
}

func (c *Comparison) differ(p *pair, f *field) {
	d := Difference{Path: p.path, Field: f.name, Old: f.old, New: f.new}
	if f.old != nil && f.leaf() == "error" {
		d.Old = json.RawMessage(`"(withheld)"`) // the very reason why it is gone
	}
	d.Kind, d.Why = p.classify(f)
	switch d.Kind {
	case Measured:
		c.Measured++
	case Meant:
		c.Meant++
	case Unmeant:
		c.Unmeant++
		c.Success = false
	}
	c.Differences = append(c.Differences, d)
}

// said is what became of a request.
func said(err error, b *body) json.RawMessage {
	what := b.strange
	switch {
	case err != nil:
		what = err.Error()
	case what == "":
		return number(b.code)
	}
	text, _ := json.Marshal(what) // a string always can be
	return text
}

func number(n int) json.RawMessage { return json.RawMessage(strconv.Itoa(n)) }

// equal compares values, however they are written.
func equal(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// pair is the answers of the predecessor and of the sidecar to one request.
type pair struct {
	path     string
	old, new *body
	// hung says that the predecessor did not answer in time, withheld that the sidecar
	// tells no names.
	hung, withheld bool
	kinds          kinds
}

// field is one value of both; nil where there is none.
type field struct {
	name     string
	old, new json.RawMessage
}

// leaf is the last of the keys that lead to it.
func (f *field) leaf() string { return f.name[strings.LastIndexByte(f.name, '.')+1:] }

func (f *field) both() bool { return f.old != nil && f.new != nil }
func (f *field) gone() bool { return f.old != nil && f.new == nil }

// service is the one that the request is about, or "".
func (p *pair) service() string {
	name, _ := strings.CutPrefix(p.path, "/health")
	if name = strings.TrimPrefix(name, "/"); name == "ready" || name == "live" {
		return ""
	}
	return name
}

// about is the service that a field is about, or "".
func (p *pair) about(f *field) string {
	keys := strings.Split(f.name, ".")
	switch {
	case p.service() != "":
		return p.service()
	case len(keys) > 1:
		return keys[1]
	case p.isInReady(f):
		return f.name
	}
	return ""
}

// isVerdict reports whether the field is the status of a service, or of all.
func (p *pair) isVerdict(f *field) bool {
	return strings.HasPrefix(f.name, "services.") || f.name == "status" && p.path != "/health/ready" ||
		p.isInReady(f)
}

// isInReady reports whether the field is the status of a service in /health/ready.
func (p *pair) isInReady(f *field) bool {
	return p.path == "/health/ready" && slices.Contains(p.kinds.inReady(), f.name)
}

// status is what the sidecar says of a service, and reason why.
func (p *pair) status(service string) string {
	if p.service() == service {
		return p.new.text("status")
	}
	return p.new.text("services." + service)
}

func (p *pair) reason(service string) string {
	if p.service() == service {
		return p.new.text("details.reason")
	}
	return p.new.text("details." + service + ".reason")
}

func text(value json.RawMessage) string {
	var s string
	_ = json.Unmarshal(value, &s) // what is no string is none
	return s
}

func isNumber(value json.RawMessage) bool {
	var n float64
	return json.Unmarshal(value, &n) == nil
}

// isTime reports whether a value is a time, with a zone or without.
func isTime(value json.RawMessage, zone bool) bool {
	layout := "2006-01-02T15:04:05"
	if zone {
		layout = time.RFC3339
	}
	_, err := time.Parse(layout, text(value))
	return err == nil
}
