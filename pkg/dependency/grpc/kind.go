// Package grpc is the kind of dependency that gRPC servers with the standard health service
// (grpc.health.v1) are: its settings, its checker, its reasons and its measures.
package grpc

import (
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonNotServing health.Reason = "not_serving"
)

// Kind returns what is known of gRPC servers.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "grpc",
			Title:      "gRPC",
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonNotServing, Severity: health.SeverityDown, Message: "the gRPC server does not say that it is serving", Next: "Read the server's log, and compare the name of the service in {CHECK} with those that the server registers."},
			},
			Measures: measures(),
		},
		Heading: "gRPC",
		Schemes: []dependency.Scheme{
			{
				Name:     "grpc",
				Form:     "grpc://HOST:PORT[/SERVICE]",
				Help:     "grpc.health.v1.Health/Check without TLS: SERVING is healthy. SERVICE is a name that the server's health service knows, such as my.package.Service; without it the check is about the whole server.",
				Settings: fromURL,
			},
			{
				Name:     "grpcs",
				Form:     "grpcs://HOST:PORT[/SERVICE]",
				Help:     "The same over TLS.",
				Settings: fromURL,
			},
		},
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{Name: "endpoint", Unit: health.UnitText},
		{Name: "serving_status", Unit: health.UnitText},
		dependency.CertificateMeasure(),
	}
}
