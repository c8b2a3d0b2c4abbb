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
	var raw struct {
		Services statuses `json:"services"`
		Details  map[string]struct {
			Reason string `json:"reason"`
			Since  string `json:"since"`
		} `json:"details"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, errAnswer // its own words could be anything
	}
	if raw.Services == nil {
		return nil, fmt.Errorf("%w: it has no services", errAnswer)
	}
	for i := range raw.Services {
		s := &raw.Services[i]
		d := raw.Details[s.Name]
		if since, err := time.Parse(time.RFC3339, d.Since); err == nil {
			s.Since = since.UTC()
		}
		reason, known := p.reasons[d.Reason]
		if !known {
			reason = ReasonOther
		}
		if s.Status >= health.Degraded {
			s.Reason = reason
		}
	}
	return raw.Services, nil
}

// statuses is the object of an answer that has the status of each service, in its order.
type statuses []ServiceAnswer

// UnmarshalJSON reads the object.
func (s *statuses) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return errAnswer
	}
	all := statuses{}
	for d.More() {
		name, status := "", ""
		if err := readPair(d, &name, &status); err != nil {
			return err
		}
		verdict, known := parseStatus(status)
		twice := slices.ContainsFunc(all, func(a ServiceAnswer) bool { return a.Name == name })
		if !isServiceName(name) || !known || twice || len(all) == maxServices {
			return errAnswer
		}
		all = append(all, ServiceAnswer{Name: name, Status: verdict})
	}
	*s = all
	return nil
}

// readPair reads a key and its value, both strings.
func readPair(d *json.Decoder, key, value *string) error {
	for _, into := range []*string{key, value} {
		token, err := d.Token()
		if err != nil {
			return err
		}
		text, isText := token.(string)
		if !isText {
			return errAnswer
		}
		*into = text
	}
	return nil
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
