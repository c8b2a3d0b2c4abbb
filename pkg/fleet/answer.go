package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Limits of one answer. A sidecar has at most 16 services, and its `safe` response for these is
// smaller than 32 KiB.
const (
	maxServices = 16
	maxAnswer   = 64 << 10
)

// kindReasons are the reasons that only some kinds of service declare. The kinds are not imported,
// since they would link the clients of all servers; a test compares this list with theirs.
var kindReasons = []health.Reason{
	"quorum", "cluster_down", "out_of_memory", "schema_behind", "writes_stalled", "bucket_missing", "model_missing", "inference",
	"status", "body", "not_serving",
}

// knownReasons returns every reason of this release's sidecar, by its text.
func knownReasons() map[string]health.Reason {
	known := map[string]health.Reason{"": ""}
	for _, r := range slices.Concat(health.Reasons(), kindReasons, []health.Reason{health.ReasonNoResult}) {
		known[string(r)] = r
	}
	return known
}

var errAnswer = errors.New("not the answer of a sidecar")

// parser reads answers. It is safe for concurrent use.
type parser struct{ reasons map[string]health.Reason }

func newParser() *parser { return &parser{knownReasons()} }

// parse reads the response to GET /health with details `safe` or `off`, from this or any other
// release of the sidecar. It ignores unknown fields and replaces an unknown reason by
// [ReasonOther]. It refuses an answer with a service name, a status or a number of services that
// no sidecar can have.
func (p *parser) parse(body []byte) ([]ServiceAnswer, error) {
	var document map[string]json.RawMessage // a map, since a struct accepts keys in any letter case
	if json.Unmarshal(body, &document) != nil {
		return nil, errAnswer
	}
	if document["services"] == nil {
		return nil, fmt.Errorf("%w: it has no services", errAnswer)
	}
	services, ok := readStatuses(document["services"])
	if !ok {
		return nil, errAnswer
	}
	var details map[string]struct{ Reason, Since string }
	if raw := document["details"]; raw != nil && json.Unmarshal(raw, &details) != nil {
		return nil, errAnswer
	}
	for i := range services {
		service := &services[i]
		d := details[service.Name]
		if since, err := time.Parse(time.RFC3339, d.Since); err == nil {
			service.Since = since.UTC()
		}
		if service.Status < health.Degraded {
			continue
		}
		reason, known := p.reasons[d.Reason]
		if !known {
			reason = ReasonOther
		}
		service.Reason = reason
	}
	return services, nil
}

// readStatuses reads the JSON object with the status of each service. It keeps their order, which
// a map would lose. It reports false if the object is not of this form.
func readStatuses(object []byte) ([]ServiceAnswer, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, false
	}
	all := make([]ServiceAnswer, 0, 4)
	for d.More() {
		key, err1 := d.Token()
		value, err2 := d.Token()
		name, isName := key.(string)
		text, isText := value.(string)
		status, known := parseStatus(text)
		duplicate := slices.ContainsFunc(all, func(a ServiceAnswer) bool { return a.Name == name })
		all = append(all, ServiceAnswer{Name: name, Status: status})
		if err1 != nil || err2 != nil || !isName || !isText || !known || duplicate || !isServiceName(name) || len(all) > maxServices {
			return nil, false
		}
	}
	return all, true
}

func parseStatus(text string) (health.Status, bool) {
	for _, s := range health.Statuses() {
		if s.String() == text {
			return s, true
		}
	}
	return health.Unknown, false
}

// isServiceName reports whether a sidecar's service can have the name: 1 to 32 lower-case letters,
// digits and hyphens, beginning with a letter and not ending with a hyphen.
func isServiceName(name string) bool {
	if name == "" || len(name) > 32 || name[0] < 'a' || name[0] > 'z' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
