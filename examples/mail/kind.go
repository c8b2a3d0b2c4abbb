// Package mail is the example of docs/adding-a-kind.md: a mail server as a kind of
// dependency.
package mail

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonNoMailService health.Reason = "no_mail_service"
)

// Kind returns what is known of mail servers.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:    "mail",
			Title:   "Mail",
			Service: "mail",
			Reasons: []health.ReasonText{
				{Reason: ReasonNoMailService, Severity: health.SeverityDown, Message: "the server offers this client no mail service", Next: "Read the mail server's log: it may refuse this client's address."},
			},
			Measures: measures(),
		},
		Heading: "Mail",
		Probe:   config.DefaultProbe(10*time.Second, 2*time.Second, "ignore"),
		Settings: func() dependency.Settings {
			return &Settings{Host: "localhost", Port: 25}
		},
		Schemes: schemes(),
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{
			Name: "message_max", Unit: health.UnitBytes, Title: "Largest message", Zero: "no limit",
			Gauge: health.Gauge{
				Name:   "reims_health_mail_message_max_bytes",
				Help:   "Size of the largest message that the mail server accepts, in bytes, where 0 is no limit.",
				Absent: "where the server does not announce it",
			},
		},
		{Name: "greeting", Unit: health.UnitText},
		dependency.CertificateMeasure(),
	}
}
