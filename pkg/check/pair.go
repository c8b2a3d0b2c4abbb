package check

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

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
