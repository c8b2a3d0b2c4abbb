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
	// maxDetails is the largest number of concurrent requests for details.
	maxDetails = 4
	// maxFacts is the largest number of facts per service, and maxFactText the largest size of one in bytes.
	maxFacts    = 40
	maxFactText = 200
)

var (
	errBusy = errors.New("too many Pods are being asked for their details: try again in a second")
	errGone = errors.New("the Pod is gone")
)

// fact is one value from the details of a service, as plain text.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// podDetails is the answer of a Pod to a request on demand.
type podDetails struct {
	answer Answer
	facts  map[string][]fact // by service
}

// details asks a Pod now, and returns its whole answer. No other request of a reader makes this
// program ask a Pod. It asks only known Pods, and at most maxDetails at the same time. The answer
// is not used for the summary.
func (c *Collector) details(ctx context.Context, name Workload, uid string) (podDetails, error) {
	select {
	case c.detailSlots <- struct{}{}:
		defer func() { <-c.detailSlots }()
	default:
		return podDetails{}, errBusy
	}
	to, known := c.endpointOf(name, uid)
	if !known {
		return podDetails{}, errGone
	}
	d := podDetails{answer: Answer{At: time.Now()}}
	body, _, failure := c.client.get(ctx, to, nil, false)
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

func (c *Collector) endpointOf(name Workload, uid string) (endpoint, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workloads[name]; w != nil {
		for _, p := range w.pods {
			if p.spec.UID == uid {
				return endpoint{p.spec.Address, w.tls}, true
			}
		}
	}
	return endpoint{}, false
}

// parseFacts reads the details of an answer: numbers, booleans, times and short texts, in the
// sidecar's order. It omits everything else, and what the page shows elsewhere.
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

// factText returns a value as text. It reports false for objects and lists, and for texts that are
// empty, too long or not printable.
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

// isFactName reports whether the page shows a fact of this name. It shows reason and since elsewhere.
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
