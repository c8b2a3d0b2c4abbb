package fleet

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// Every response of the real sidecar can be parsed, with each setting of its details.
func TestParseUnderstandsTheSidecar(t *testing.T) {
	t.Parallel()
	p := newParser()
	for name, s := range scenario.All() {
		synctest.Test(t, func(t *testing.T) {
			view, _ := s.Remembered()
			for _, details := range []server.Details{server.Full, server.Safe, server.Off} {
				w := scenario.Get(s.Handler(details), "/health")
				if w.Code != http.StatusOK && w.Code != http.StatusServiceUnavailable {
					t.Fatalf("%s: %d", name, w.Code)
				}
				got, err := p.parse(w.Body.Bytes())
				if err != nil {
					t.Errorf("%s, %s: %v\n%s", name, details, err, w.Body)
				}
				var want []ServiceAnswer
				for _, r := range view.At(time.Now()).Results() {
					a := ServiceAnswer{Name: r.Service.Name, Status: r.Status}
					if details != server.Off {
						a.Since = r.Since.UTC().Truncate(time.Millisecond)
						if r.Fault() != nil && r.Status != health.Unknown {
							a.Reason = r.Reason()
						}
					}
					want = append(want, a)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %s (-view +answer):\n%s", name, details, diff)
				}
			}
		})
	}
}

// kindReasons has all reasons that kinds declare.
func TestReasonsAreThoseOfAllKinds(t *testing.T) {
	t.Parallel()
	var want []health.Reason
	for _, r := range health.Reasons(registry.Kinds().Described()...) {
		if !slices.Contains(health.Reasons(), r) {
			want = append(want, r)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(kindReasons))); diff != "" {
		t.Errorf("kindReasons (-kinds +list):\n%s", diff)
	}
}

// longest is the longest possible service name.
var longest = "a" + strings.Repeat("b", 31)

// many returns a JSON object of n services.
func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"s`+strconv.Itoa(i)+`":"healthy"`)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestParse(t *testing.T) {
	t.Parallel()
	down := ServiceAnswer{Name: "db", Status: health.Unhealthy}
	with := func(reason health.Reason, since time.Time) []ServiceAnswer {
		a := down
		a.Reason, a.Since = reason, since
		return []ServiceAnswer{a}
	}
	at := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	const services = `{"services":{"db":"unhealthy"},`
	for _, c := range []struct {
		name, body string
		want       []ServiceAnswer // nil: it cannot be used
	}{
		{"nothing", ``, nil},
		{"white space", "  \n", nil},
		{"HTML", `<!DOCTYPE html><title>It works!</title>`, nil},
		{"a number", `7`, nil},
		{"null", `null`, nil},
		{"a list", `[{"services":{}}]`, nil},
		{"an empty object", `{}`, nil},
		{"services are null", `{"services":null}`, nil},
		{"services are a list", `{"services":["db"]}`, nil},
		{"services are a word", `{"services":"db"}`, nil},
		{"a status is a number", `{"services":{"db":3}}`, nil},
		{"a status is null", `{"services":{"db":null}}`, nil},
		{"a status is an object", `{"services":{"db":{"status":"healthy"}}}`, nil},
		{"a status that there is not", `{"services":{"db":"fine"}}`, nil},
		{"a status in capitals", `{"services":{"db":"Healthy"}}`, nil},
		{"one bad service among good ones", `{"services":{"db":"healthy","x":"fine"}}`, nil},
		{"half of it", `{"services":{"db":"healthy"`, nil},
		{"more after it", `{"services":{"db":"healthy"}}{}`, nil},
		{"a name with capitals", `{"services":{"DB":"healthy"}}`, nil},
		{"an empty name", `{"services":{"":"healthy"}}`, nil},
		{"a name with markup", `{"services":{"<script>":"healthy"}}`, nil},
		{"a name with a line break", `{"services":{"d\nb":"healthy"}}`, nil},
		{"a name that begins with a digit", `{"services":{"1db":"healthy"}}`, nil},
		{"a name that ends with a hyphen", `{"services":{"db-":"healthy"}}`, nil},
		{"a name that is too long", `{"services":{"` + longest + `x":"healthy"}}`, nil},
		{"a name twice", `{"services":{"db":"healthy","db":"unhealthy"}}`, nil},
		{"too many services", `{"services":` + many(17) + `}`, nil},
		{"a thousand services", `{"services":` + many(1000) + `}`, nil},
		{"deep nesting", `{"services":` + strings.Repeat(`{"a":`, 20000) + strings.Repeat("}", 20000) + `}`, nil},
		{"deep nesting in what is ignored", `{"services":{"db":"healthy"},"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, nil},
		{"details are a list", services + `"details":[]}`, nil},
		{"details of a service are a word", services + `"details":{"db":"x"}}`, nil},
		{"a reason is a number", services + `"details":{"db":{"reason":7}}}`, nil},
		{"not UTF-8", "{\"services\":{\"d\xff\":\"healthy\"}}", nil},

		{"no services", `{"services":{}}`, []ServiceAnswer{}},
		{"white space everywhere", " {\n\t\"services\" : { \"db\" : \"unhealthy\" } ,\r \"details\" : { \"db\" : { \"reason\" : \"refused\" , \"x\" : [ 1 , { } ] } } } ", with(health.ReasonRefused, time.Time{})},
		{"escapes", `{"serv\u0069ces":{"d\u0062":"unhealth\u0079"},"x\"}":"{\\","details":{"db":{"reason":"refu\u0073ed"}}}`, with(health.ReasonRefused, time.Time{})},
		{"details before the services", `{"details":{"db":{"reason":"refused"}},"services":{"db":"unhealthy"}}`, with(health.ReasonRefused, time.Time{})},
		{"details twice", services + `"details":{"db":{"reason":"auth"},"db":{"reason":"refused"}}}`, with(health.ReasonRefused, time.Time{})},
		{"a reason that is null", services + `"details":{"db":{"reason":null,"since":null}}}`, []ServiceAnswer{down}},
		{"a since that is a list", services + `"details":{"db":{"since":[]}}}`, nil},
		{"no details", services + `"details":{}}`, []ServiceAnswer{down}},
		{"details are null", services + `"details":null}`, []ServiceAnswer{down}},
		{"details of a service are null", services + `"details":{"db":null}}`, []ServiceAnswer{down}},
		{"details of another service", services + `"details":{"x":{"reason":"refused"}}}`, []ServiceAnswer{down}},
		{"all of it", services + `"details":{"db":{"reason":"refused","since":"2026-03-14T09:26:53Z"}}}`, with(health.ReasonRefused, at)},
		{"another time zone", services + `"details":{"db":{"reason":"refused","since":"2026-03-14T10:26:53+01:00"}}}`, with(health.ReasonRefused, at)},
		{"a time that is none", services + `"details":{"db":{"reason":"refused","since":"yesterday"}}}`, with(health.ReasonRefused, time.Time{})},
		{"a reason of another release", services + `"details":{"db":{"reason":"haunted"}}}`, with(ReasonOther, time.Time{})},
		{"a reason with a secret", services + `"details":{"db":{"reason":"password=hunter2"}}}`, with(ReasonOther, time.Time{})},
		{"a reason of a kind", services + `"details":{"db":{"reason":"quorum"}}}`, with("quorum", time.Time{})},
		{"a reason that no fault has", services + `"details":{"db":{"reason":"shutdown"}}}`, with(ReasonOther, time.Time{})},
		{"what is not known", `{"new":[{"x":1}],` + services[1:] + `"details":{"db":{"reason":"refused","new":{"a":[1]}}}}`, with(health.ReasonRefused, time.Time{})},
		{"a reason where all is well", `{"services":{"db":"healthy"},"details":{"db":{"reason":"refused"}}}`, []ServiceAnswer{{Name: "db", Status: health.Healthy}}},
		{"the longest name", `{"services":{"` + longest + `":"healthy"}}`, []ServiceAnswer{{Name: longest, Status: health.Healthy}}},
		{"the sidecar's order", `{"services":{"z":"healthy","a":"unknown"}}`, []ServiceAnswer{{Name: "z", Status: health.Healthy}, {Name: "a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := newParser().parse([]byte(c.body))
			if (err != nil) != (c.want == nil) {
				t.Fatalf("%v, %v", got, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got, err := newParser().parse([]byte(`{"services":` + many(16) + `}`)); err != nil || len(got) != 16 {
		t.Errorf("sixteen services: %d, %v", len(got), err)
	}
}

// FuzzParse: each parsed answer has only values of the closed sets.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"services":{"db":"unhealthy"},"details":{"db":{"reason":"refused","since":"2026-03-14T09:26:53Z"}}}`))
	f.Add([]byte(`{"services":{"db":"healthy","db":"unhealthy"},"details":null}`))
	f.Add([]byte(`{"services":{"<b>":"healthy"}}`))
	p := newParser()
	f.Fuzz(func(t *testing.T, body []byte) {
		services, err := p.parse(body)
		if err != nil {
			if err.Error() != errAnswer.Error() && !strings.HasPrefix(err.Error(), errAnswer.Error()+": ") {
				t.Errorf("its own words: %v", err)
			}
			return
		}
		if len(services) > maxServices {
			t.Errorf("%d services", len(services))
		}
		seen := map[string]bool{}
		for _, s := range services {
			_, known := p.reasons[string(s.Reason)]
			if !isServiceName(s.Name) || seen[s.Name] || s.Status > health.Unhealthy || !known && s.Reason != ReasonOther {
				t.Errorf("%+v", s)
			}
			seen[s.Name] = true
		}
		var all map[string]json.RawMessage
		statuses, details := map[string]string{}, map[string]struct{ Reason, Since string }{}
		if json.Unmarshal(body, &all) != nil || json.Unmarshal(all["services"], &statuses) != nil || len(statuses) != len(services) {
			t.Fatalf("encoding/json reads %q, not %+v", all["services"], services)
		}
		if all["details"] != nil && json.Unmarshal(all["details"], &details) != nil {
			t.Errorf("encoding/json refuses the details %q", all["details"])
		}
		for _, s := range services {
			if statuses[s.Name] != s.Status.String() {
				t.Errorf("encoding/json reads %q, not %+v", statuses[s.Name], s)
			}
			if known, is := p.reasons[details[s.Name].Reason]; is && s.Status >= health.Degraded && s.Reason != known {
				t.Errorf("encoding/json reads %q, not %+v", details[s.Name].Reason, s)
			}
		}
	})
}

// BenchmarkParse reads the answer of a sidecar with four services.
func BenchmarkParse(b *testing.B) {
	const details = `{"latency_ms":3.125,"pool_size":4,"pool_free":3,"pool_active":1,"connections_used":17,"connections_max":100,"schema_required":3,"schema_current":3,` +
		`"app_connections_active":2,"app_connections_idle":5,"checked_at":"2026-03-14T09:26:50.000Z","since":"2026-03-14T09:00:00.000Z"}`
	names := []string{"database", "redis", "minio", "ollama"}
	body := []byte(`{"success":true,"status":"healthy","services":{"` + strings.Join(names, `":"healthy","`) + `":"healthy"},"details":{"` +
		strings.Join(names, `":`+details+`,"`) + `":` + details + `},"timestamp":"2026-03-14T09:26:53.000Z","check_duration_ms":4.5}`)
	p := newParser()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := p.parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
