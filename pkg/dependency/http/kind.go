// Package http is the kind of dependency that HTTP servers are: its settings, its checker,
// its reasons and its measures.
package http

import (
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonStatus health.Reason = "status"
	ReasonBody   health.Reason = "body"
)

// Kind returns what is known of HTTP servers.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "http",
			Title:      "HTTP",
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonStatus, Severity: health.SeverityDown, Message: "the HTTP status is not an expected one", Next: "Ask for the URL of {CHECK} with curl from within the Pod: with 401 or 403 check {TOKEN_FILE}, with 404 the path."},
				{Reason: ReasonBody, Severity: health.SeverityDown, Message: "the answer's body is not the expected one", Next: "Ask for the URL of {CHECK} with curl, and compare the body with {EXPECT_BODY}."},
			},
			Measures: measures(),
		},
		Heading: "HTTP",
		Schemes: []dependency.Scheme{
			scheme("http", "GET of the URL; redirects are not followed. The statuses 200 to 399 are healthy, 429 is degraded (`overloaded`), any other is unhealthy (`status`)."),
			scheme("https", "The same over HTTPS."),
		},
	}
}

func scheme(name, help string) dependency.Scheme {
	return dependency.Scheme{
		Name:     name,
		Form:     name + "://HOST[:PORT][/PATH][?QUERY]",
		Help:     help,
		Secret:   "TOKEN",
		Settings: fromURL,
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{Name: "endpoint", Unit: health.UnitText},
		{Name: "status_code", Title: "HTTP status"},
		dependency.CertificateMeasure(),
	}
}
