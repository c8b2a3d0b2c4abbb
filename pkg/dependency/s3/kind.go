// Package s3 is the kind of dependency that S3 servers are, such as MinIO: its settings,
// its checker, its reasons and its measures.
package s3

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonQuorum        health.Reason = "quorum"
	ReasonBucketMissing health.Reason = "bucket_missing"
)

// Kind returns what is known of MinIO.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "s3",
			Title:      "MinIO",
			Service:    "minio",
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonQuorum, Severity: health.SeverityDown, Message: "the server has lost too many of its drives", Next: "Bring the missing drives or nodes back: `mc admin info` lists them."},
				{Reason: ReasonBucketMissing, Severity: health.SeverityImpaired, Message: "a bucket that must exist does not", Next: "Create the bucket, or correct {BUCKETS}."},
			},
			Next: map[health.Reason]string{
				health.ReasonAuth:      "Check {ACCESS_KEY}, {SECRET_KEY} or the file of {SECRET_KEY_FILE}.",
				health.ReasonForbidden: "Grant the user the right that the sidecar's log names, or name the buckets that it may see in {BUCKETS}.",
			},
			Measures: measures(),
			Latency:  dependency.LatencyGauge("minio_latency_ms", "minio"),
		},
		Heading: "MinIO",
		Probe:   config.DefaultProbe(10*time.Second, 2*time.Second, "ignore"),
		Schemes: schemes(),
		Settings: func() dependency.Settings {
			return &Settings{
				Endpoint:  "localhost:9000",
				AccessKey: config.DefaultSecret("minioadmin"),
				SecretKey: config.DefaultSecret("minioadmin"),
				PathStyle: true,
			}
		},
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{Name: "buckets_count", Title: "Buckets"},
		{Name: "buckets", Unit: health.UnitList, Title: "Bucket names"},
		{Name: "endpoint", Unit: health.UnitText},
		{Name: "secure", Unit: health.UnitFlag, Title: "TLS"},
		dependency.CertificateMeasure(),
	}
}
