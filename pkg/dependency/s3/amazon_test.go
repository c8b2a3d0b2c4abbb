package s3_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
)

// amazon is a stand-in for an S3 endpoint of one region, as Amazon documents it ("Virtual
// hosting of buckets", "Authenticating requests: Signature Version 4", "Error responses").
// A real one cannot be had in a test.
type amazon struct {
	host    string // of the endpoint, without the port
	region  string
	buckets map[string]string // and the region of each
	// onlyVirtual answers a bucket in the path with a redirect, as for newer buckets.
	onlyVirtual bool
	requests    atomic.Int32
}

const amazonSecret = "canary-secret-key"

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	name, _, _ := net.SplitHostPort(r.Host)
	bucket, virtual := strings.CutSuffix(name, "."+a.host)
	if !virtual {
		bucket = strings.Trim(r.URL.Path, "/")
	}
	w.Header().Set("X-Amz-Request-Id", "4442587FB7D0A2F9")
	refuse := func(status int, code, more string) {
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code>%s</Error>", code, more)
		}
	}
	region, good := signedFor(r, amazonSecret)
	switch {
	case !good:
		refuse(http.StatusForbidden, "SignatureDoesNotMatch", "")
	case region != a.region:
		w.Header().Set("X-Amz-Bucket-Region", a.region)
		refuse(http.StatusBadRequest, "AuthorizationHeaderMalformed", "<Region>"+a.region+"</Region>")
	case bucket == "":
		fmt.Fprint(w, "<ListAllMyBucketsResult><Owner><ID>1</ID></Owner><Buckets></Buckets></ListAllMyBucketsResult>")
	case a.buckets[bucket] == "":
		refuse(http.StatusNotFound, "NoSuchBucket", "")
	case a.buckets[bucket] != a.region || !virtual && a.onlyVirtual:
		w.Header().Set("X-Amz-Bucket-Region", a.buckets[bucket])
		refuse(http.StatusMovedPermanently, "PermanentRedirect", "<Endpoint>"+bucket+"."+a.host+"</Endpoint>")
	}
}

// signedFor returns the region of the signature, and whether it is right: version 4, with
// the Host header among what is signed.
func signedFor(r *http.Request, secret string) (region string, good bool) {
	var scope, signed, signature string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Credential":
			_, scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			signed = value
		case "Signature":
			signature = value
		}
	}
	fields := strings.Split(scope, "/") // date, region, service, aws4_request
	if len(fields) != 4 || !slices.Contains(strings.Split(signed, ";"), "host") {
		return "", false
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(signed, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	request := strings.Join([]string{r.Method, (&url.URL{Path: r.URL.Path}).EscapedPath(), r.URL.RawQuery, headers.String(), signed, r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	sum := sha256.Sum256([]byte(request))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, field := range append(fields, text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(field))
		key = mac.Sum(nil)
	}
	return fields[1], hex.EncodeToString(key) == signature
}

func TestS3OfAmazon(t *testing.T) {
	t.Parallel()
	const host = "s3.eu-central-1.example"
	for name, test := range map[string]struct {
		change   func(*s3.Options)
		buckets  string
		path     bool // buckets answer by path as well
		reason   health.Reason
		says     string
		requests int32 // of the second check
	}{
		"virtual host":              {nil, "mine other", false, "", "", 3},
		"learns the region":         {func(o *s3.Options) { o.Region = "" }, "mine", false, "", "", 2},
		"path, newer bucket":        {func(o *s3.Options) { o.VirtualHost = false }, "mine", false, health.ReasonError, "another region", 2},
		"path, older bucket":        {func(o *s3.Options) { o.VirtualHost = false }, "mine", true, "", "", 2},
		"no such bucket":            {nil, "mine gone", false, s3.ReasonBucketMissing, "gone", 3},
		"bucket of another region":  {nil, "far", false, health.ReasonError, "another region", 2},
		"wrong region":              {func(o *s3.Options) { o.Region = "eu-west-1" }, "mine", false, "", "", 2},
		"wrong region, no buckets":  {func(o *s3.Options) { o.Region = "eu-west-1" }, "", false, "", "", 1},
		"wrong key":                 {func(o *s3.Options) { o.Keys = keys("access", "another-key") }, "mine", false, health.ReasonAuth, "MINIO_SECRET_KEY", 1},
		"name that is no host name": {nil, "Mine_1", false, s3.ReasonBucketMissing, "Mine_1", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &amazon{host: host, region: "eu-central-1", buckets: map[string]string{"mine": "eu-central-1", "other": "eu-central-1", "far": "us-west-2"}, onlyVirtual: !test.path}
			_, port, err := net.SplitHostPort(checking.ServeHTTP(t, server))
			if err != nil {
				t.Fatal(err)
			}
			options := s3.Options{
				Endpoint: net.JoinHostPort(host, port), Keys: keys("access", amazonSecret), Region: "eu-central-1", VirtualHost: true,
				Buckets: strings.Fields(test.buckets), Timeout: 10 * time.Second,
				Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
					if name != host && !strings.HasSuffix(name, "."+host) {
						return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
					}
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				},
			}
			if test.change != nil {
				test.change(&options)
			}
			checker := openMinIO(t, options)
			for range 2 { // the first one may have to learn
				server.requests.Store(0)
				if test.reason == "" {
					note := "the server's region is eu-central-1, and MINIO_REGION is another"
					seen := checking.Healthy(t, checker)
					if noted := strings.Contains(strings.Join(seen.Notes, ""), note); noted != (options.Region == "eu-west-1") {
						t.Errorf("notes %q", seen.Notes)
					}
				} else {
					fault := checking.Fault(t, checker, test.reason)
					checking.Says(t, fault, test.says)
					if strings.Contains(fault.Message, "canary") {
						t.Errorf("message %q", fault.Message)
					}
				}
			}
			if got := server.requests.Load(); got != test.requests {
				t.Errorf("%d requests per check, want %d", got, test.requests)
			}
		})
	}
}
