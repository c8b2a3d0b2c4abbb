package check_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/check"
)

// each holds one difference of one field against what it should be called. {} is what
// the field's body looks like otherwise.
func TestCompareClassifies(t *testing.T) {
	t.Parallel()
	service := func(status, details string) string {
		success := map[bool]string{true: "true", false: "false"}[status == "healthy" || status == "degraded"]
		return `{"success":` + success + `,"status":"` + status + `","details":` + details + `,"timestamp":"2026-01-01T00:00:00Z"}`
	}
	for name, test := range map[string]struct {
		old, new reply
		field    string
		kind     check.Kind
	}{
		"a count that was always 0":      {asJSON(200, service("healthy", `{"connected_clients":0}`)), asJSON(200, service("healthy", `{"connected_clients":7}`)), "details.connected_clients", check.Meant},
		"a count that is another now":    {asJSON(200, service("healthy", `{"connected_clients":3}`)), asJSON(200, service("healthy", `{"connected_clients":7}`)), "details.connected_clients", check.Measured},
		"a version that was Unknown":     {asJSON(200, service("healthy", `{"version":"Unknown"}`)), asJSON(200, service("healthy", `{"version":"7"}`)), "details.version", check.Meant},
		"a version that is another":      {asJSON(200, service("healthy", `{"version":"6"}`)), asJSON(200, service("healthy", `{"version":"7"}`)), "details.version", check.Unmeant},
		"a version that is gone":         {asJSON(200, service("healthy", `{"version":"6"}`)), asJSON(200, service("healthy", `{}`)), "details.version", check.Unmeant},
		"a key that went with a reason":  {asJSON(200, service("unhealthy", `{}`)), asJSON(200, strings.Replace(service("unhealthy", `{"reason":"auth"}`), `,"timestamp":"2026-01-01T00:00:00Z"`, "", 1)), "timestamp", check.Unmeant},
		"an empty object that is gone":   {asJSON(200, service("healthy", `{"pools":{}}`)), asJSON(200, service("healthy", `{"version":1}`)), "details.pools", check.Unmeant},
		"an empty object that is filled": {asJSON(200, service("healthy", `{"pools":{}}`)), asJSON(200, service("healthy", `{"pools":{"a":1}}`)), "details.pools", ""},
		"a closed connection":            {reply{}, asJSON(200, service("healthy", `{}`)), check.FieldAnswer, check.Unmeant},
		"a number that is gone":          {asJSON(200, service("healthy", `{"status_code":200}`)), asJSON(200, service("healthy", `{"models_count":1}`)), "details.status_code", check.Unmeant},
		"a field that is new":            {asJSON(200, service("healthy", `{}`)), asJSON(200, service("healthy", `{"since":"x"}`)), "details.since", check.Meant},
		"a key of the body that is new":  {asJSON(200, service("healthy", `{}`)), asJSON(200, strings.Replace(service("healthy", `{}`), `"status"`, `"mood":1,"status"`, 1)), "mood", check.Unmeant},
		"the pool":                       {asJSON(200, service("healthy", `{"pool_size":10}`)), asJSON(200, service("healthy", `{"pool_size":1}`)), "details.pool_size", check.Meant},
		"a latency":                      {asJSON(200, service("healthy", `{"latency_ms":10}`)), asJSON(200, service("healthy", `{"latency_ms":1}`)), "details.latency_ms", check.Measured},
		"200 for what is down":           {asJSON(200, service("unhealthy", `{}`)), asJSON(503, service("unhealthy", `{"reason":"refused"}`)), check.FieldCode, check.Meant},
		"503 for what is well":           {asJSON(200, service("healthy", `{}`)), asJSON(503, service("healthy", `{}`)), check.FieldCode, check.Unmeant},
		"the text of a driver":           {asJSON(200, service("unhealthy", `{"error":"password"}`)), asJSON(200, service("unhealthy", `{"reason":"auth"}`)), "details.error", check.Meant},
		"a latency of what is down":      {asJSON(200, service("unhealthy", `{"latency_ms":3}`)), asJSON(200, service("unhealthy", `{"reason":"auth"}`)), "details.latency_ms", check.Meant},
		"degraded that was healthy":      {asJSON(200, service("healthy", `{}`)), asJSON(200, service("degraded", `{"reason":"slow"}`)), "status", check.Meant},
		"degraded that was unhealthy":    {asJSON(200, service("unhealthy", `{}`)), asJSON(200, service("degraded", `{"reason":"too_many_connections"}`)), "status", check.Meant},
		"unhealthy that was healthy":     {asJSON(200, service("healthy", `{}`)), asJSON(503, service("unhealthy", `{"reason":"refused"}`)), "status", check.Unmeant},
		"healthy that was unhealthy":     {asJSON(200, service("unhealthy", `{}`)), asJSON(200, service("healthy", `{}`)), "status", check.Unmeant},
		"a time with no zone":            {asJSON(200, strings.Replace(service("healthy", `{}`), "00Z", "00.123", 1)), asJSON(200, service("healthy", `{}`)), "timestamp", check.Meant},
		"a list that is another":         {asJSON(200, service("healthy", `{"buckets":["a"]}`)), asJSON(200, service("healthy", `{"buckets":["a","b"]}`)), "details.buckets", check.Unmeant},
		"a service that is not there":    {asJSON(200, service("healthy", `{}`)), asJSON(404, `{"error":"no such path or service"}`), check.FieldCode, check.Unmeant},
		"a number in another notation":   {asJSON(200, service("healthy", `{"status_code":200.0}`)), asJSON(200, service("healthy", `{"status_code":200}`)), "", ""},
		"another kind of value":          {asJSON(200, service("healthy", `{"secure":"false"}`)), asJSON(200, service("healthy", `{"secure":false}`)), "details.secure", check.Unmeant},
		"an answer that is no JSON":      {reply{200, "text/html", "<html>"}, asJSON(200, service("healthy", `{}`)), check.FieldAnswer, check.Unmeant},
		"an empty answer":                {asJSON(200, ""), asJSON(200, service("healthy", `{}`)), check.FieldAnswer, check.Unmeant},
		"null where there was something": {asJSON(200, service("healthy", `{"models_count":1}`)), asJSON(200, service("healthy", `{"models_count":null}`)), "details.models_count", check.Unmeant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := serve(t, with(map[string]reply{"/health/redis": test.old}))
			if test.old.code == 0 {
				before = closing(t, "/health/redis")
			}
			after := serve(t, with(map[string]reply{"/health/redis": test.new}))
			c, err := check.Compare(t.Context(), before, after)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(c); err != nil {
				t.Error(err)
			}
			var kind check.Kind
			for _, d := range c.Differences {
				if d.Path == "/health/redis" && d.Field == test.field {
					kind = d.Kind
				}
				if (d.Kind == check.Meant) != (d.Why != "") {
					t.Errorf("it does not say why: %+v", d)
				}
			}
			if kind != test.kind {
				t.Errorf("%s is %q, want %q: %+v", test.field, kind, test.kind, c.Differences)
			}
			if c.Success != (c.Unmeant == 0) || c.Measured+c.Meant+c.Unmeant != len(c.Differences) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// What readiness does not depend on may be down to both, and the whole is called
// something else.
func TestCompareOverall(t *testing.T) {
	t.Parallel()
	body := func(success, status, redis string) string {
		return `{"success":` + success + `,"status":"` + status + `","services":{"database":"healthy","redis":"` + redis + `"},"details":{}}`
	}
	before := serve(t, with(map[string]reply{"/health": asJSON(503, body("false", "unhealthy", "unhealthy"))}))
	for redis, want := range map[string]bool{"unhealthy": true, "healthy": false} {
		after := serve(t, with(map[string]reply{"/health": asJSON(200, body("true", "degraded", redis))}))
		c, err := check.Compare(t.Context(), before, after)
		if err != nil || c.Success != want {
			t.Errorf("redis %s: %v, %+v", redis, err, c)
		}
	}
}

// closing is well, but that it closes the connection when asked for the path.
func closing(t *testing.T, path string) *check.Client {
	t.Helper()
	replies := well()
	return serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			panic(http.ErrAbortHandler)
		}
		replies[r.URL.RequestURI()].write(w)
	})
}

// What is no body of the API is one difference, whatever it holds: on neither side is it
// compared field by field.
func TestCompareStrangers(t *testing.T) {
	t.Parallel()
	page := reply{200, "text/html", "<html>"}
	for name, test := range map[string]struct {
		old, new reply
		want     string
	}{
		"a page":               {page, asJSON(200, database), `"an HTML page (200 OK)" -> 200`},
		"a page of the new":    {asJSON(200, database), page, `200 -> "an HTML page (200 OK)"`},
		"a page on both sides": {page, page, `"an HTML page (200 OK)" -> "an HTML page (200 OK)"`},
		"a list":               {asJSON(200, "[1]"), asJSON(200, database), `"no JSON object (200 OK)" -> 200`},
		"null":                 {asJSON(200, "null"), asJSON(200, database), `"no JSON object (200 OK)" -> 200`},
		"too much":             {asJSON(200, `{"a":`+keys(1000)+`,"b":`+keys(1000)+`}`), asJSON(200, database), `"JSON with more than 1000 values (200 OK)" -> 200`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := check.Compare(t.Context(), serve(t, with(map[string]reply{"/health/redis": test.old})), serve(t, with(map[string]reply{"/health/redis": test.new})))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range c.Differences {
				if d.Path == "/health/redis" {
					got = append(got, string(d.Old)+" -> "+string(d.New))
				}
			}
			if len(got) != 1 || got[0] != test.want || c.Success {
				t.Errorf("%q, want %s; success %t", got, test.want, c.Success)
			}
		})
	}
}

// A name that is missing is meant only where the sidecar withholds all of them.
func TestCompareWithheld(t *testing.T) {
	t.Parallel()
	const status = `"success":true,"status":"healthy","services":{"database":"healthy"},"timestamp":"NOW"`
	before := serve(t, map[string]reply{"/health": asJSON(200, `{`+status+`,"details":{"database":{"version":"1","database":"reims"}}}`)})
	for details, want := range map[string]bool{
		`{"database":{"latency_ms":1}}`: true, `{}`: true, `{"database":{"database":"reims"}}`: false,
	} {
		after := serve(t, map[string]reply{"/health": asJSON(200, `{`+status+`,"details":`+details+`}`)})
		c, err := check.Compare(t.Context(), before, after)
		if err != nil || c.Success != want {
			t.Errorf("%s: %v, %+v", details, err, c)
		}
	}
}
