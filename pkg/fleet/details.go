package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxDetails is how many Pods are asked for their details at the same time.
	maxDetails = 4
	// maxFacts is how many facts of a service are shown, and maxFactText how long one is.
	maxFacts    = 40
	maxFactText = 200
)

var (
	errBusy = errors.New("too many Pods are being asked for their details: try again in a second")
	errGone = errors.New("the Pod is gone")
)

// fact is one value that a sidecar tells of a service. It is never more than text.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// podDetails is what a Pod says now.
type podDetails struct {
	answer Answer
	facts  map[string][]fact // by service
}

// details asks a Pod now, and returns all that it says. Nothing else that readers do asks a Pod.
// Only a Pod that is known is asked, and at most maxDetails at the same time. The answer does not
// count for the summary.
func (c *Collector) details(ctx context.Context, name Workload, uid string) (podDetails, error) {
	select {
	case c.detailing <- struct{}{}:
		defer func() { <-c.detailing }()
	default:
		return podDetails{}, errBusy
	}
	whom, known := c.peerOf(name, uid)
	if !known {
		return podDetails{}, errGone
	}
	d := podDetails{answer: Answer{At: time.Now()}}
	body, _, failure := c.asker.ask(ctx, whom, nil, false)
	if failure == "" {
		var err error
		if d.answer.Services, err = c.parser.parse(body); err != nil {
			failure = FailureProtocol
		}
	}
	d.answer.Failure = failure
	if failure == "" {
		d.facts = parseFacts(body)
	}
	return d, nil
}

func (c *Collector) peerOf(name Workload, uid string) (peer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workloads[name]; w != nil {
		for _, p := range w.pods {
			if p.spec.UID == uid {
				return peer{p.spec.Address, w.tls}, true
			}
		}
	}
	return peer{}, false
}

// parseFacts reads the details of an answer: numbers, truth values, times and short texts, in the
// sidecar's order. Everything else is left out, and so is what the page shows elsewhere.
func parseFacts(body []byte) map[string][]fact {
	var raw struct {
		Details map[string]json.RawMessage `json:"details"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return nil
	}
	facts := map[string][]fact{}
	for service, details := range raw.Details {
		if isServiceName(service) && len(facts) < maxServices {
			facts[service] = readFacts(details)
		}
	}
	return facts
}

func readFacts(details []byte) []fact {
	var facts []fact
	d := json.NewDecoder(bytes.NewReader(details))
	d.UseNumber()
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil
	}
	for d.More() && len(facts) < maxFacts {
		key, err := d.Token()
		if err != nil {
			return facts
		}
		var value any
		if d.Decode(&value) != nil {
			return facts
		}
		name, _ := key.(string)
		if text, ok := factText(value); ok && isFactName(name) {
			facts = append(facts, fact{name, text})
		}
	}
	return facts
}

// factText is a value as text. It reports false for objects and lists, for texts that are empty or
// too long, and for those with characters that cannot be printed.
func factText(value any) (string, bool) {
	var text string
	switch v := value.(type) {
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return text, text != "" && len(text) <= maxFactText && !strings.ContainsFunc(text, unprintable)
}

// isFactName reports whether a fact can have the name. The page shows reason and since elsewhere.
func isFactName(name string) bool {
	if name == "" || len(name) > 64 || name == "reason" || name == "since" || name == "docs" {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
