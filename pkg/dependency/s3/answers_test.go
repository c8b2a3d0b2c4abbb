package s3_test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/test/checking"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

func TestMinIOClockSkew(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	target, err := url.Parse(m.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	addr := checking.ServeHTTP(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("X-Amz-Date", time.Now().UTC().Add(-time.Hour).Format("20060102T150405Z"))
	}})
	checking.Fails(t, newMinIO(t, m, func(o *s3.Options) { o.Endpoint = addr }), health.ClockSkew)
}

// AWS lets credentials reach a bucket without listing any; MinIO lists those that
// are within reach.
func TestMinIOMayNotListBuckets(t *testing.T) {
	t.Parallel()
	addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code></Error>"))
		case r.URL.Path == "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	open := func(buckets ...string) *s3.Checker {
		return openMinIO(t, s3.Options{Endpoint: addr, Keys: keys("k", "s"), Buckets: buckets, Timeout: 5 * time.Second})
	}
	if n, _ := checking.Healthy(t, open("mine", "other")).Find("buckets_count"); n != 2 {
		t.Errorf("buckets_count = %v, want 2", n)
	}
	checking.Fails(t, open(), health.Forbidden)
	checking.Fails(t, open("mine", "gone"), s3.ReasonBucketMissing)
	checking.Fails(t, open("mine", "busy"), health.Protocol) // no S3 server's answer
}

// What a real MinIO cannot be brought to say in a test.
func TestMinIOAnswers(t *testing.T) {
	t.Parallel()
	refusal := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<Error><Code>" + code + "</Code><Message>canary</Message></Error>"))
		}
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason health.Reason
	}{
		"not initialized": {refusal(503, "XMinioServerNotInitialized"), health.StartingUp},
		"no users yet":    {refusal(503, "XMinioIAMNotInitialized"), health.StartingUp},
		"slow down":       {refusal(503, "SlowDown"), health.Overloaded},
		"too many":        {refusal(429, "TooManyRequests"), health.Overloaded},
		"storage full":    {refusal(507, "XMinioStorageFull"), health.DiskFull},
		"expired token":   {refusal(400, "ExpiredToken"), health.Auth},
		"internal error":  {refusal(500, "InternalError"), health.Error},
		"server busy":     {refusal(503, "ServerBusy"), health.Overloaded},
		"unavailable":     {refusal(503, "ServiceUnavailable"), health.Error},
		"another's 503":   {refusal(503, "OutOfCoffee"), health.Error},
		"another's 429":   {refusal(429, "Throttling"), health.Overloaded},
		"cut 503":         {checking.Reply(503, "<Error><Code>SlowDown</Code>"), health.Protocol},
		"read quorum":     {refusal(503, "SlowDownRead"), s3.ReasonQuorum},
		"write quorum":    {refusal(503, "SlowDownWrite"), s3.ReasonQuorum},
		"another region":  {refusal(400, "AuthorizationHeaderMalformed"), health.Error},
		"moved":           {refusal(301, "PermanentRedirect"), health.Error},
		"proxy, 503":      {checking.Reply(503, "upstream gone"), health.Protocol},
		"proxy, 502":      {checking.Reply(502, "bad gateway"), health.Protocol},
		"redirect":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, health.Protocol},
		"a web page":      {checking.Reply(200, "<html><body>Welcome</body></html>"), health.Protocol},
		"nothing":         {checking.Reply(200, ""), health.Protocol},
		"cut XML":         {checking.Reply(200, "<ListAllMyBucketsResult><Buckets>"), health.Protocol},
		"100 MB":          {checking.Huge, health.Protocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := checking.Fault(t, openMinIO(t, s3.Options{
				Endpoint: checking.ServeHTTP(t, test.answer), Keys: keys("k", "s"), Timeout: 5 * time.Second,
			}), test.reason)
			if strings.Contains(f.Message, "canary") {
				t.Errorf("message %q carries the server's text", f.Message)
			}
		})
	}
}
