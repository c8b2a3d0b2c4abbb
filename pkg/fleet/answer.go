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

// What one answer may have: a sidecar has at most 16 services, and their `safe` answer takes
// less than 32 KiB.
const (
	maxServices = 16
	maxAnswer   = 64 << 10
)

// kindReasons are those that some kinds of service declare. The kinds are not imported, for
// with them come the clients of all servers; a test holds the list against them.
var kindReasons = []health.Reason{
	"quorum", "cluster_down", "out_of_memory", "schema_behind", "writes_stalled", "bucket_missing", "model_missing", "inference",
	"status", "body", "not_serving",
}

// knownReasons returns every reason that a sidecar of this release gives, by its text.
func knownReasons() map[string]health.Reason {
	known := map[string]health.Reason{"": ""}
	for _, r := range slices.Concat(health.Reasons(), kindReasons, []health.Reason{health.ReasonNoResult}) {
		known[string(r)] = r
	}
	return known
}

var errAnswer = errors.New("not the answer of a sidecar")

// parser reads answers, for any number of goroutines.
type parser struct{ reasons map[string]health.Reason }

func newParser() *parser { return &parser{knownReasons()} }

// parse reads the answer to GET /health, the `safe` or the `off` one, of this release of the
// sidecar or of another: what it does not know is ignored. Nothing is believed but what is
// within the closed sets: a reason that is not known becomes [ReasonOther]; a name, status or
// number of services that no sidecar has makes the answer unusable.
func (p *parser) parse(body []byte) ([]ServiceAnswer, error) {
	var whole map[string]json.RawMessage // a map, for a struct takes keys in any case
	if json.Unmarshal(body, &whole) != nil {
		return nil, errAnswer
	}
	if whole["services"] == nil {
		return nil, fmt.Errorf("%w: it has no services", errAnswer)
	}
	services, ok := readStatuses(whole["services"])
	if !ok {
		return nil, errAnswer
	}
	var details map[string]struct{ Reason, Since string }
	if raw := whole["details"]; raw != nil && json.Unmarshal(raw, &details) != nil {
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

// readStatuses reads the object that has the status of each service, in its order, which a map
// would lose. It reports false for anything else.
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
		twice := slices.ContainsFunc(all, func(a ServiceAnswer) bool { return a.Name == name })
		all = append(all, ServiceAnswer{Name: name, Status: status})
		if err1 != nil || err2 != nil || !isName || !isText || !known || twice || !isServiceName(name) || len(all) > maxServices {
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

// isServiceName reports whether a service of a sidecar can have the name: at most 32 small
// letters, digits and hyphens, a letter first, no hyphen last.
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
