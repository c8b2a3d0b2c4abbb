package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// MinIO behind the proxies, from its start to its end.
func TestMinIOBehindProxy(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	for _, program := range []servers.ProxyProgram{servers.Nginx, servers.HAProxy} {
		proxy := servers.RunProxy(t, servers.ProxyOptions{Program: program, Target: m.Addr()})
		p := newMinIO(t, m, func(o *s3.Options) { o.Endpoint = proxy.Addr() })
		poll.Until(t, "MinIO through "+proxy.Name(), func() bool { _, err := p.Check(t.Context()); return err == nil })
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		checking.Says(t, checking.Fault(t, p, health.ReasonProtocol), "something between")
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "MinIO through "+proxy.Name(), func() bool { _, err := p.Check(t.Context()); return err == nil })
	}
}

// Four drives: with two gone MinIO reads and does not write, with three it does not
// read either.
func TestMinIOQuorum(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{Drives: 4})
	makeBuckets(t, m, "reims")
	p := newMinIO(t, m, func(o *s3.Options) { o.Buckets = []string{"reims"} })
	poll.Until(t, "all drives", func() bool { _, err := p.Check(t.Context()); return err == nil })
	lose := func(drives ...int) {
		for _, i := range drives {
			if err := os.Rename(m.Drive(i), m.Drive(i)+".away"); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := func(severity health.Severity, words string) {
		t.Helper()
		var last error
		poll.Until(t, words, func() bool {
			p.Redial()
			_, last = p.Check(t.Context())
			return last != nil && strings.Contains(last.Error(), words)
		})
		if f := checking.WantFault(t, last, s3.ReasonQuorum); f.Severity != severity {
			t.Errorf("severity = %v, want %v", f.Severity, severity)
		}
	}
	lose(0, 1)
	lost(health.SeverityUnproven, "to write")
	lose(2)
	lost(health.SeverityInherit, "to read")
	if err := m.Stop(); err != nil { // running, it makes the folders anew
		t.Fatal(err)
	}
	for i := range 3 {
		if err := errors.Join(os.RemoveAll(m.Drive(i)), os.Rename(m.Drive(i)+".away", m.Drive(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the drives are back", func() bool { _, err := p.Check(t.Context()); return err == nil })
}

// A server of another region names it, and is asked again.
func TestMinIOAnotherRegion(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"AWS":    "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'garage'</Message><Region>garage</Region></Error>",
		"others": "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region is wrong; expecting 'garage'.</Message></Error>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.Header.Get("Authorization"), "/garage/s3/aws4_request") {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(w, document)
					return
				}
				_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
			}))
			w := checking.NewWire(t, addr)
			p := openMinIO(t, s3.Options{Endpoint: w.Addr(), Keys: keys("k", "s"), Timeout: 5 * time.Second})
			checking.Healthy(t, p)
			trips := w.Trips.Load()
			checking.Healthy(t, p)
			if got := w.Trips.Load() - trips; got != 1 {
				t.Errorf("%d round trips once the region is known, want 1", got)
			}
		})
	}
	for answer, words := range map[string]string{
		"":                                "does not name its own: see MINIO_REGION",
		"<Region>garage</Region>":         "names garage: see MINIO_REGION", // and refuses it too
		"<Region>canary word</Region>":    "does not name its own: see MINIO_REGION",
		"<Message>expecting ''</Message>": "does not name its own: see MINIO_REGION",
	} {
		checking.Says(t, checking.Fault(t, openMinIO(t, s3.Options{
			Endpoint: checking.ServeHTTP(t, checking.Reply(400, "<Error><Code>AuthorizationHeaderMalformed</Code>"+answer+"</Error>")),
			Keys:     keys("k", "s"), Region: "eu-west-1", Timeout: 5 * time.Second,
		}), health.ReasonError), words)
	}
}

// MinIO lists its buckets whatever the region is, and tells its own; a bucket by its name is
// refused with a wrong one.
func TestMinIOWithItsRegion(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{Env: []string{"MINIO_SITE_REGION=eu-north-1"}})
	makeBuckets(t, m, "docs")
	for _, region := range []string{"", "eu-north-1", "us-east-1", "elsewhere"} {
		p := newMinIO(t, m, func(o *s3.Options) { o.Region, o.Buckets = region, []string{"docs"} })
		for range 2 {
			seen := checking.Healthy(t, p)
			noted := slices.Contains(seen.Notes, "the server's region is eu-north-1, and MINIO_REGION is another, which a stricter client may fail with: correct it, or leave it out")
			if wrong := region != "" && region != "eu-north-1"; noted != wrong {
				t.Errorf("region %q: notes %q", region, seen.Notes)
			}
		}
		checking.Says(t, checking.Fault(t, newMinIO(t, m, func(o *s3.Options) { o.Region, o.Buckets = region, []string{"gone"} }), s3.ReasonBucketMissing), "gone")
	}
}

// A bucket that is elsewhere.
func TestMinIOBucketMoved(t *testing.T) {
	t.Parallel()
	addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
	}))
	p := openMinIO(t, s3.Options{Endpoint: addr, Keys: keys("k", "s"), Buckets: []string{"mine"}, Timeout: 5 * time.Second})
	checking.Says(t, checking.Fault(t, p, health.ReasonError), "another region", "MINIO_ENDPOINT")
}

// With buckets named, a list of others that is too long to be read is no fault.
func TestMinIOLongList(t *testing.T) {
	t.Parallel()
	var lists int
	long := func(start string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				lists++
				_, _ = io.WriteString(w, start)
				for i := range 50_000 {
					_, _ = fmt.Fprintf(w, "<Bucket><Name>bucket-%036d</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>", i)
				}
			case r.URL.Path == "/gone":
				w.WriteHeader(http.StatusNotFound)
			}
		}
	}
	addr := checking.ServeHTTP(t, long(`<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets>`))
	open := func(addr string, buckets ...string) *s3.Checker {
		return openMinIO(t, s3.Options{Endpoint: addr, Keys: keys("k", "s"), Buckets: buckets, Timeout: 5 * time.Second})
	}
	p := open(addr, "mine")
	seen := checking.Healthy(t, p)
	if _, ok := seen.Find("buckets_count"); ok || len(seen.Notes) != 1 || seen.Latency <= 0 {
		t.Errorf("measures %v, notes %q, latency %v; want no count, and a note", seen.Values, seen.Notes, seen.Latency)
	}
	checking.Healthy(t, p)
	if lists != 1 {
		t.Errorf("the list was asked for %d times, want once", lists)
	}
	checking.Fails(t, open(addr, "mine", "gone"), s3.ReasonBucketMissing)
	checking.Fails(t, open(addr), health.ReasonProtocol)
	checking.Fails(t, open(checking.ServeHTTP(t, long("<html><body>")), "mine"), health.ReasonProtocol)
}
