package check_test

import (
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
		"a version that is gone":         {asJSON(200, service("healthy", `{"version":"6"}`)), asJSON(200, service("healthy", `{}`)), "details.version", check.Meant},
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
		"an answer that is no JSON":      {reply{200, "text/html", "<html>"}, asJSON(200, service("healthy", `{}`)), "status", check.Unmeant},
		"an empty answer":                {asJSON(200, ""), asJSON(200, service("healthy", `{}`)), "success", check.Unmeant},
		"null where there was something": {asJSON(200, service("healthy", `{"models_count":1}`)), asJSON(200, service("healthy", `{"models_count":null}`)), "details.models_count", check.Unmeant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := serve(t, with(map[string]reply{"/health/redis": test.old}))
			after := serve(t, with(map[string]reply{"/health/redis": test.new}))
			c, err := check.Compare(t.Context(), before, after)
			if err != nil {
				t.Fatal(err)
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
