package s3

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// Options says which MinIO, or other S3 server, to ask, and how.
type Options struct {
	// Endpoint is host:port.
	Endpoint string
	// Secure chooses HTTPS.
	Secure bool
	// CAFile holds the certificates to trust; see [dependency.TLSConfig].
	CAFile string
	// Certificates remembers those of the server. Nil: they are not remembered.
	Certificates *dependency.Certificates
	// Keys is called at each check, so that rotated ones need no restart. Its error
	// fails the check with [health.ReasonAuth].
	Keys func(context.Context) (access, secret string, err error)
	// Buckets must exist and be within reach.
	Buckets []string
	// Region is the one that requests are signed for until the server names another, which
	// is noted. The default is us-east-1, without a note.
	Region string
	// VirtualHost addresses a bucket as BUCKET.Endpoint rather than Endpoint/BUCKET.
	VirtualHost bool
	// Timeout bounds a check, dialling included.
	Timeout time.Duration
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
	// Lookup resolves the host of Endpoint. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks a MinIO server: a signed ListBuckets, and HEAD on each bucket that
// must exist and is not in the list. Once per connection, and at each check while
// it is lost, it also asks whether MinIO has the drives that it needs to write.
//
// Requests are signed by minio-go's signer and sent without its client, which
// retries, waits before it reports a failure, and replaces errors by their text.
type Checker struct {
	web     *dependency.HTTPClient
	options Options

	region   string // the server's, once it has named it
	unlisted bool   // the list of buckets is too long: it is not asked for on this connection
	quorum   bool   // MinIO is known to have the drives that it needs to write
}

var (
	_ health.Checker  = (*Checker)(nil)
	_ health.Redialer = (*Checker)(nil)
)

// New returns a checker of the server at options.Endpoint. It does not
// connect.
func New(options Options) *Checker {
	host := options.Endpoint
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return &Checker{
		web: dependency.NewHTTPClient(dependency.HTTPOptions{
			Scheme: "{SECURE}", TLS: dependency.TLSConfig(options.CAFile, host, options.Certificates), Timeout: options.Timeout, Lookup: options.Lookup,
		}),
		options: options,
		region:  cmp.Or(options.Region, "us-east-1"),
	}
}

// Redial implements [health.Redialer].
func (m *Checker) Redial() { m.web.Redial() }

// Close gives up the connection. It must not run beside Check.
func (m *Checker) Close() error { return m.web.Close() }

// Check implements [health.Checker].
func (m *Checker) Check(ctx context.Context) (health.Observation, error) {
	return m.options.Prefix.Explain(m.check(ctx))
}

func (m *Checker) check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	if m.web.Begin() {
		m.unlisted, m.quorum = false, false
	}
	seen := health.Observation{Values: []health.Value{
		health.Text("endpoint", m.options.Endpoint), health.Flag("secure", m.options.Secure),
	}}
	session, err := m.login(ctx)
	if err != nil {
		return seen, err
	}
	defer func() { m.region = session.region }()
	list := bucketList{partial: true}
	if !m.unlisted {
		list, err = session.listBuckets(ctx, len(m.options.Buckets) > 0)
	}
	if err != nil {
		return seen, err
	}
	m.unlisted = list.partial
	names, err := session.require(ctx, m.options.Buckets, list.names)
	seen.Latency = session.latency
	if given := m.options.Region; given != "" && session.region != given {
		seen.Notes = append(seen.Notes, "the server's region is "+session.region+", and {REGION} is another, which a stricter client may fail with: correct it, or leave it out")
	}
	if list.partial {
		seen.Notes = append(seen.Notes, "the list of buckets is longer than 4 MB: only those of {BUCKETS} are looked at")
	} else {
		seen.Values = append([]health.Value{
			health.Number("buckets_count", len(names)),
			health.List("buckets", names[:min(5, len(names))]),
		}, seen.Values...)
	}
	if list.minio && !m.quorum {
		m.quorum = !m.lostWrites(ctx, session.root)
		if !m.quorum {
			return seen, &health.Fault{Reason: ReasonQuorum, Severity: health.SeverityUnproven, Message: messageNoWrites}
		}
	}
	return seen, err
}

// lostWrites reports whether MinIO says that it has lost its write quorum. It is an
// extra: any other answer, or none, is no fault.
func (m *Checker) lostWrites(ctx context.Context, root url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout/4)
	defer cancel()
	reply, err := m.web.Get(ctx, root.JoinPath("minio/health/cluster").String())
	return err == nil && reply.Status == http.StatusServiceUnavailable && reply.Header.Get("X-Minio-Write-Quorum") != ""
}

func (m *Checker) login(ctx context.Context) (*session, error) {
	access, secret, err := m.options.Keys(ctx)
	switch {
	case err != nil:
	case access == "" || secret == "":
		err = errors.New("a key is empty") // it would not be signed at all
	case strings.ContainsFunc(access, unicode.IsControl):
		err = errors.New("the access key holds a line break or another control character")
	}
	if err != nil {
		return nil, &health.Fault{
			Reason:  health.ReasonAuth,
			Message: "{ACCESS_KEY} or {SECRET_KEY} is empty, cannot be read or holds a line break: see the files that their _FILE variables name",
			Err:     err,
		}
	}
	root := url.URL{Scheme: "http", Host: m.options.Endpoint, Path: "/"}
	if m.options.Secure {
		root.Scheme = "https"
	}
	return &session{
		web: m.web, root: root, virtualHost: m.options.VirtualHost, access: access, secret: secret,
		region: m.region,
	}, nil
}

// require looks for the buckets that are not among listed, one by one, and
// returns listed with those that it found.
func (s *session) require(ctx context.Context, buckets, listed []string) ([]string, error) {
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
			Reason:  health.ReasonForbidden,
			Message: "the MinIO credentials may not reach these buckets of {BUCKETS}: " + strings.Join(denied, ", "),
		}
	case missing != nil:
		return listed, &health.Fault{
			Reason:  ReasonBucketMissing,
			Message: "these buckets of {BUCKETS} do not exist: " + strings.Join(missing, ", "),
		}
	default:
		return listed, nil
	}
}
