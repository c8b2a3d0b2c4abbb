package check

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Health is the body of /health.
type Health struct {
	Success   bool      `json:"success"`
	Status    string    `json:"status"`
	Services  Object    `json:"services"`
	Details   Object    `json:"details"`
	Timestamp time.Time `json:"timestamp"`
	// CheckMS is the longest of the latest probes, in milliseconds.
	CheckMS float64 `json:"check_duration_ms"`
}

// Detail returns the details of a service; none where they are withheld.
func (h *Health) Detail(service string) Object {
	var o Object
	if value, ok := h.Details.Get(service); ok {
		_ = json.Unmarshal(value, &o) // what is no object has been found to be wrong
	}
	return o
}

// Service is the body of /health/NAME.
type Service struct {
	Success   bool      `json:"success"`
	Status    string    `json:"status"`
	Details   Object    `json:"details"`
	Timestamp time.Time `json:"timestamp"`
}

// readiness is the body of /health/ready.
type readiness struct {
	Status    string    `json:"status"`
	Timestamp time.Time `json:"timestamp"`
	Details   Object    `json:"details"`
}

// unknownPath is the body of a 404.
type unknownPath struct {
	Success bool     `json:"success"`
	Error   string   `json:"error"`
	Paths   []string `json:"paths"`
}

// decode reads a JSON body and says what is wrong with its shape: keys are the ones
// that it must have, in this order. More keys are fine. It reports whether there is
// anything to judge.
func (f *finding) decode(a *Answer, into any, keys ...string) bool {
	var o Object
	if err := json.Unmarshal(a.Body, &o); err != nil {
		f.wrong("the body is no JSON object: %v", err)
		return false
	}
	var there []string
	for _, key := range o.Keys() {
		if slices.Contains(keys, key) {
			there = append(there, key)
		}
	}
	f.want(slices.Equal(there, keys), "the keys are %s: want %s in this order",
		strings.Join(o.Keys(), ", "), strings.Join(keys, ", "))
	if err := json.Unmarshal(a.Body, into); err != nil {
		f.wrong("the body: %v", err)
		return false
	}
	return true
}
