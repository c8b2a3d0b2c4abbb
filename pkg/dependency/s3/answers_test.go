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
	checking.Fails(t, newMinIO(t, m, func(o *s3.Options) { o.Endpoint = addr }), health.ReasonClockSkew)
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
	checking.Fails(t, open(), health.ReasonForbidden)
	checking.Fails(t, open("mine", "gone"), s3.ReasonBucketMissing)
	checking.Fails(t, open("mine", "busy"), health.ReasonProtocol) // no S3 server's answer
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
		"not initialized": {refusal(503, "XMinioServerNotInitialized"), health.ReasonStartingUp},
		"no users yet":    {refusal(503, "XMinioIAMNotInitialized"), health.ReasonStartingUp},
		"slow down":       {refusal(503, "SlowDown"), health.ReasonOverloaded},
		"too many":        {refusal(429, "TooManyRequests"), health.ReasonOverloaded},
		"storage full":    {refusal(507, "XMinioStorageFull"), health.ReasonDiskFull},
		"expired token":   {refusal(400, "ExpiredToken"), health.ReasonAuth},
		"internal error":  {refusal(500, "InternalError"), health.ReasonError},
		"server busy":     {refusal(503, "ServerBusy"), health.ReasonOverloaded},
		"unavailable":     {refusal(503, "ServiceUnavailable"), health.ReasonError},
		"another's 503":   {refusal(503, "OutOfCoffee"), health.ReasonError},
		"another's 429":   {refusal(429, "Throttling"), health.ReasonOverloaded},
		"cut 503":         {checking.Reply(503, "<Error><Code>SlowDown</Code>"), health.ReasonProtocol},
		"read quorum":     {refusal(503, "SlowDownRead"), s3.ReasonQuorum},
		"write quorum":    {refusal(503, "SlowDownWrite"), s3.ReasonQuorum},
		"another region":  {refusal(400, "AuthorizationHeaderMalformed"), health.ReasonError},
		"moved":           {refusal(301, "PermanentRedirect"), health.ReasonError},
		"proxy, 503":      {checking.Reply(503, "upstream gone"), health.ReasonProtocol},
		"proxy, 502":      {checking.Reply(502, "bad gateway"), health.ReasonProtocol},
		"Envoy":           {checking.Reply(503, "no healthy upstream"), health.ReasonProtocol},
		"Traefik's limit": {checking.Reply(429, "Too Many Requests"), health.ReasonProtocol},
		"Kong":            {checking.Reply(503, `{"message":"failure to get a peer from the ring-balancer"}`), health.ReasonProtocol},
		"Amazon":          {checking.Reply(504, "<html><head><title>504 Gateway Time-out</title></head></html>"), health.ReasonProtocol},
		"CloudFront":      {checking.Reply(502, `<?xml version="1.0"?><!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN"><HTML></HTML>`), health.ReasonProtocol},
		"another XML":     {checking.Reply(503, "<error><code>SlowDown</code></error>"), health.ReasonProtocol},
		"no code":         {checking.Reply(503, "<Error><Code></Code></Error>"), health.ReasonProtocol},
		"redirect":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, health.ReasonProtocol},
		"a web page":      {checking.Reply(200, "<html><body>Welcome</body></html>"), health.ReasonProtocol},
		"nothing":         {checking.Reply(200, ""), health.ReasonProtocol},
		"cut XML":         {checking.Reply(200, "<ListAllMyBucketsResult><Buckets>"), health.ReasonProtocol},
		"100 MB":          {checking.Huge, health.ReasonProtocol},
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
