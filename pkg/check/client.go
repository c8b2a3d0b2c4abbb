package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/readfile"
)

// Options say whom to ask, and how.
type Options struct {
	// URL is the sidecar's address, see [ParseURL]. Its user and password, if it has
	// any, are sent and never shown. Required.
	URL *url.URL
	// Timeout bounds each request, from its start to the end of the answer. Required.
	Timeout time.Duration
	// Token is sent as Authorization: Bearer. The default is none.
	Token string
	// Roots are the authorities to trust, see [ReadRoots]. The default is the system's.
	Roots *x509.CertPool
	// Insecure accepts any certificate.
	Insecure bool
	// Certificate is presented to a server that asks for one. The default is none.
	Certificate *tls.Certificate
	// Kinds describe the services that there may be, and which of their values name things.
	// The default knows none.
	Kinds []*health.Kind
	// Role is who answers there. The default is [Sidecar].
	Role Role
	// Transport is how to ask. The default is HTTP with no proxy, and with TLS as
	// above.
	Transport http.RoundTripper
}

// Client asks one sidecar. It is safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client
}

// NewClient returns a client. Nothing is asked yet.
func NewClient(o Options) *Client {
	if o.Transport == nil {
		secured := &tls.Config{RootCAs: o.Roots, InsecureSkipVerify: o.Insecure} //nolint:gosec // asked for
		if o.Certificate != nil {
			secured.Certificates = []tls.Certificate{*o.Certificate}
		}
		// Proxy variables have no effect, as everywhere in this program.
		o.Transport = &http.Transport{
			TLSClientConfig:     secured,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     time.Minute,
		}
	}
	return &Client{options: o, http: &http.Client{
		Transport: o.Transport,
		Timeout:   o.Timeout,
		// A sidecar never redirects: whoever does is something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ReadRoots reads a PEM file of at most 2 MiB with the authorities to trust.
func ReadRoots(path string) (*x509.CertPool, error) {
	pem, err := readfile.Limited(path, readfile.MaxPEM)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it: want PEM", path)
	}
	return roots, nil
}

// URL is the address, fit to be shown.
func (c *Client) URL() string { return shown(c.options.URL) }

// Answer is what came back.
type Answer struct {
	Path   string
	Code   int
	Header http.Header
	Body   []byte
	// Took is from the request to the end of the body.
	Took time.Duration
	// At is when it had come, by our own clock.
	At time.Time
}

// Get asks for a path, such as /health?verbose. Whatever the answer's code is, it is
// no error. The error says what was tried, what happened and what to look at.
func (c *Client) Get(ctx context.Context, path string) (*Answer, error) {
	target := shown(c.options.URL) + path
	a, err := c.get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", target, explain(ctx, err, c.options))
	}
	return a, nil
}

func (c *Client) get(ctx context.Context, path string) (*Answer, error) {
	var names lookup
	req, err := http.NewRequestWithContext(names.trace(ctx), http.MethodGet, c.options.URL.String()+path, nil)
	if err != nil {
		return nil, bare(err)
	}
	req.Header.Set("User-Agent", "reims-health check")
	if c.options.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.options.Token)
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, names.blame(bare(err), c.options.URL.Hostname())
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &Answer{Path: path, Code: resp.StatusCode, Header: resp.Header, Body: body, Took: now.Sub(began), At: now}, nil
}

func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxBody:
		return nil, errTooLarge
	}
	return body, shallow(body)
}

// bare takes off the URL that net/http puts before an error: it may hold a user.
func bare(err error) error {
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	return err
}

// millis is a duration in milliseconds, to the microsecond.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// ParseURL reads the address of a sidecar as a person gives it: with or without the
// scheme, with or without /health, a path below that, or /metrics at its end. The error never shows a
// password.
func ParseURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL: want http://HOST:PORT or https://HOST:PORT")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q: want http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("no host: want http://HOST:PORT or https://HOST:PORT")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("want no query and no fragment")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), metricsPath)
	if at := strings.LastIndex(u.Path+"/", "/health/"); at >= 0 {
		u.Path = u.Path[:at]
	}
	u.RawPath = ""
	return u, nil
}

// LocalURL is where a sidecar that listens on addr (HEALTH_ADDR) is reached from its
// own machine or Pod.
func LocalURL(addr string) (*url.URL, error) {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return nil, err
	case port == "0":
		return nil, errors.New("port 0 is any free port")
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}, nil
}

// shown is the URL without its user and password.
func shown(u *url.URL) string {
	bare := *u
	bare.User = nil
	return bare.String()
}

// Role is who answers at an address, which decides what an error advises.
type Role int

// The roles.
const (
	// Sidecar is reims-health at HEALTH_ADDR, which --url gives.
	Sidecar Role = iota
	// Metrics is reims-health at METRICS_ADDR, which --metrics-url gives.
	Metrics
	// FleetProgram is reims-health-fleet, which --fleet gives.
	FleetProgram
)

// roleWords are what an error says of a role.
type roleWords struct {
	whose     string // the port is
	refused   string // where nothing listens
	silent    string // where no answer comes in time
	plain     string // where TLS is not spoken
	none      string // what something else is not
	elsewhere string // where something else answers
}

func (r Role) words() roleWords {
	const dropped = "a firewall or a NetworkPolicy may drop the packets, or the process is starved of CPU"
	switch r {
	case Metrics:
		return roleWords{
			whose:     "the metrics'",
			refused:   "is the sidecar running (reims-health serve), and is this the address that METRICS_ADDR gives it? --metrics-url asks another one",
			silent:    "the sidecar answers from memory: " + dropped,
			plain:     "the sidecar serves its metrics by plain HTTP unless METRICS_TLS_CERT_FILE is set",
			none:      "those are no metrics of reims-health",
			elsewhere: "does --metrics-url lead to the metrics (METRICS_ADDR, by default port 9008)?",
		}
	case FleetProgram:
		return roleWords{
			whose:     "the fleet program's",
			refused:   "is the fleet program running (reims-health-fleet), and is this the address of its page? --fleet asks another one",
			silent:    "the fleet program answers from memory: " + dropped,
			plain:     "the fleet program itself speaks plain HTTP",
			none:      "that is no reims-health-fleet",
			elsewhere: "does --fleet lead to the page of reims-health-fleet, rather than to a sidecar, the metrics or a proxy?",
		}
	default:
		return roleWords{
			whose:     "the sidecar's",
			refused:   "is the sidecar running (reims-health serve), and is this the address that HEALTH_ADDR gives it? --url asks another one",
			silent:    "the sidecar answers from memory: " + dropped,
			plain:     "the sidecar speaks plain HTTP unless HEALTH_TLS_CERT_FILE is set",
			none:      "that is no reims-health",
			elsewhere: "does the address lead to the sidecar (HEALTH_ADDR, by default port 8008), rather than to the API, the metrics or a proxy?",
		}
	}
}
