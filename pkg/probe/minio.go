package probe

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// MinIOOptions says which MinIO, or other S3 server, to ask, and how.
type MinIOOptions struct {
	// Endpoint is host:port.
	Endpoint string
	// Secure chooses HTTPS.
	Secure bool
	// CAFile holds the certificates to trust; see [TLSConfig].
	CAFile string
	// Keys is called at each check, so that rotated ones need no restart. Its error
	// fails the check with [health.Auth].
	Keys func(context.Context) (access, secret string, err error)
	// Buckets must exist and be within reach.
	Buckets []string
	// Timeout bounds a check, dialling included.
	Timeout time.Duration
	// Lookup resolves the host of Endpoint. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// MinIO checks a MinIO server: a signed ListBuckets, and HEAD on each bucket that
// must exist and is not in the list.
//
// Requests are signed by minio-go's signer and sent without its client, which
// retries, waits before it reports a failure, and replaces errors by their text.
type MinIO struct {
	*webClient
	options MinIOOptions
}

var (
	_ health.Checker  = (*MinIO)(nil)
	_ health.Redialer = (*MinIO)(nil)
)

// NewMinIO returns a checker of the server at options.Endpoint. It does not
// connect.
func NewMinIO(options MinIOOptions) *MinIO {
	return &MinIO{
		webClient: newWebClient("MINIO_SECURE", TLSConfig(options.CAFile), options.Timeout, options.Lookup),
		options:   options,
	}
}

// Check implements [health.Checker].
func (m *MinIO) Check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	m.begin()

	where := []health.Measure{health.Text("endpoint", m.options.Endpoint), health.Flag("secure", m.options.Secure)}
	session, err := m.login(ctx)
	if err != nil {
		return health.Observation{Measures: where}, err
	}
	reply, names, err := session.listBuckets(ctx, len(m.options.Buckets) > 0)
	if err != nil {
		return health.Observation{Measures: where}, err
	}
	names, err = session.require(ctx, m.options.Buckets, names)
	return health.Observation{
		Latency: reply.latency,
		Measures: append([]health.Measure{
			health.Number("buckets_count", len(names)),
			health.List("buckets", names[:min(5, len(names))]),
		}, where...),
	}, err
}

func (m *MinIO) login(ctx context.Context) (*s3Session, error) {
	access, secret, err := m.options.Keys(ctx)
	if err == nil && (access == "" || secret == "") {
		err = errors.New("a key is empty") // it would not be signed at all
	}
	if err != nil {
		return nil, &health.Fault{
			Reason:  health.Auth,
			Message: "MINIO_ACCESS_KEY or MINIO_SECRET_KEY is empty or cannot be read: see the files that their _FILE variables name",
			Err:     err,
		}
	}
	root := url.URL{Scheme: "http", Host: m.options.Endpoint, Path: "/"}
	if m.options.Secure {
		root.Scheme = "https"
	}
	return &s3Session{web: m.webClient, root: root, access: access, secret: secret, region: "us-east-1"}, nil
}

// require looks for the buckets that are not among listed, one by one, and
// returns listed with those that it found.
func (s *s3Session) require(ctx context.Context, buckets, listed []string) ([]string, error) {
	var missing, denied []string
	for _, bucket := range buckets {
		if slices.Contains(listed, bucket) {
			continue
		}
		status, err := s.headBucket(ctx, bucket)
		switch {
		case err != nil:
			return listed, err
		case status == http.StatusNotFound:
			missing = append(missing, bucket)
		case status == http.StatusForbidden:
			denied = append(denied, bucket)
		default:
			listed = append(listed, bucket)
		}
	}
	switch {
	case denied != nil:
		return listed, &health.Fault{
			Reason:  health.Forbidden,
			Message: "the MinIO credentials may not reach these buckets of MINIO_BUCKETS: " + strings.Join(denied, ", "),
		}
	case missing != nil:
		return listed, &health.Fault{
			Reason:  health.BucketMissing,
			Message: "these buckets of MINIO_BUCKETS do not exist: " + strings.Join(missing, ", "),
		}
	default:
		return listed, nil
	}
}
