package s3_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"

	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/test/checking"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// newMinIO returns a checker of m, changed by edit.
func newMinIO(t *testing.T, m *servers.MinIO, edit func(*s3.Options)) *s3.Checker {
	t.Helper()
	options := s3.Options{Endpoint: m.Addr(), Keys: keys(m.AccessKey, m.SecretKey), Timeout: 5 * time.Second}
	if edit != nil {
		edit(&options)
	}
	return openMinIO(t, options)
}

func openMinIO(t *testing.T, options s3.Options) *s3.Checker {
	t.Helper()
	options.Prefix = "MINIO_"
	p := s3.New(options)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func keys(access, secret string) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) { return access, secret, nil }
}

func makeBuckets(t *testing.T, m *servers.MinIO, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := m.MakeBucket(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMinIOHealthy(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	p := newMinIO(t, m, nil)
	seen := checking.Declared(t, s3.Kind(), checking.Healthy(t, p))
	if n, ok := seen.Find("buckets_count"); !ok || n != 0 {
		t.Errorf("buckets_count = %v of an empty server", n)
	}
	makeBuckets(t, m, "b-1", "b-2", "b-3", "b-4", "b-5", "b-6")
	seen = checking.Healthy(t, p)
	want := []health.Value{
		health.Number("buckets_count", 6),
		health.List("buckets", []string{"b-1", "b-2", "b-3", "b-4", "b-5"}),
		health.Text("endpoint", m.Addr()),
		health.Flag("secure", false),
	}
	if diff := cmp.Diff(want, seen.Values); diff != "" {
		t.Errorf("measures (-want +got):\n%s", diff)
	}
	if seen.Latency <= 0 {
		t.Errorf("latency = %v", seen.Latency)
	}
}

func TestMinIOOneRoundTrip(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	makeBuckets(t, m, "reims")
	w := checking.NewWire(t, m.Addr())
	p := newMinIO(t, m, func(o *s3.Options) { o.Endpoint, o.Buckets = w.Addr(), []string{"reims"} })
	checking.Healthy(t, p)
	if got := w.Trips.Load(); got != 2 {
		t.Errorf("the first check made %d round trips, want 2: ListBuckets, and the state of the drives", got)
	}
	checking.OneRoundTrip(t, w, p)
}

func TestMinIOLogin(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	ready := newMinIO(t, m, nil)
	poll.Until(t, "MinIO with its users", func() bool { _, err := ready.Check(t.Context()); return err == nil })
	for name, get := range map[string]func(context.Context) (string, string, error){
		"wrong secret":     keys(m.AccessKey, "canary-wrong"),
		"unknown key":      keys("canary-nobody", m.SecretKey),
		"empty secret":     keys(m.AccessKey, ""),
		"not ASCII":        keys("ключ", m.SecretKey),
		"secret not ASCII": keys(m.AccessKey, m.SecretKey+"é"),
		"a comma":          keys("canary,key", m.SecretKey),
		"a line break":     keys("canary\nkey", m.SecretKey),
		"unreadable file": func(context.Context) (string, string, error) {
			return "", "", errors.New("open /canary: no such file")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newMinIO(t, m, func(o *s3.Options) { o.Keys, o.Buckets = get, []string{"any"} })
			f := checking.Fault(t, p, health.ReasonAuth)
			if !strings.Contains(f.Message, "MINIO_SECRET_KEY") || strings.Contains(f.Message, "canary") {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}

func TestMinIOSecretRotated(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	makeBuckets(t, m, "reims")
	key, err := m.AddKey(t.Context(), servers.BucketPolicy("reims"))
	if err != nil {
		t.Fatal(err)
	}
	var secret atomic.Value
	secret.Store(key.SecretKey)
	p := newMinIO(t, m, func(o *s3.Options) {
		o.Buckets = []string{"reims"}
		o.Keys = func(context.Context) (string, string, error) { return key.AccessKey, secret.Load().(string), nil }
	})
	checking.Healthy(t, p)
	const changed = "canary-rotated-secret"
	if err := m.SetSecret(t.Context(), key.AccessKey, changed); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, p, health.ReasonAuth)
	secret.Store(changed)
	checking.Healthy(t, p)
	if err := m.RemoveKey(t.Context(), key.AccessKey); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, p, health.ReasonAuth)
}

func TestMinIOBuckets(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{Env: []string{"MINIO_SITE_REGION=eu-west-3"}})
	makeBuckets(t, m, "mine", "theirs")
	key, err := m.AddKey(t.Context(), servers.BucketPolicy("mine"))
	if err != nil {
		t.Fatal(err)
	}
	none, err := m.AddKey(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	root, limited, powerless := keys(m.AccessKey, m.SecretKey), keys(key.AccessKey, key.SecretKey), keys(none.AccessKey, none.SecretKey)
	for name, test := range map[string]struct {
		keys    func(context.Context) (string, string, error)
		buckets []string
		reason  health.Reason // empty: healthy
		names   string        // the message's end
		count   float64
	}{
		"all there":            {root, []string{"theirs", "mine"}, "", "", 2},
		"no such name":         {root, []string{"mine", "Mine"}, s3.ReasonBucketMissing, ": Mine", 2},
		"missing":              {root, []string{"mine", "gone", "lost"}, s3.ReasonBucketMissing, ": gone, lost", 2},
		"limited, its own":     {limited, []string{"mine"}, "", "", 1},
		"limited, another's":   {limited, []string{"mine", "theirs"}, health.ReasonForbidden, ": theirs", 1},
		"limited, none named":  {limited, nil, "", "", 1},
		"powerless":            {powerless, nil, health.ReasonForbidden, "may reach", 0},
		"powerless, one named": {powerless, []string{"mine"}, health.ReasonForbidden, ": mine", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newMinIO(t, m, func(o *s3.Options) { o.Keys, o.Buckets = test.keys, test.buckets })
			seen, err := p.Check(t.Context())
			if test.reason == "" && err != nil {
				t.Fatalf("Check failed: %v", err)
			}
			if test.reason != "" {
				if f := checking.WantFault(t, err, test.reason); !strings.HasSuffix(f.Message, test.names) {
					t.Errorf("message %q does not end in %q", f.Message, test.names)
				}
			}
			if got, _ := seen.Find("buckets_count"); got != test.count {
				t.Errorf("buckets_count = %v, want %v", got, test.count)
			}
		})
	}
}

func TestMinIOTLS(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{TLS: true})
	secure := func(ca string) func(*s3.Options) {
		return func(o *s3.Options) { o.Secure, o.CAFile = true, ca }
	}
	checking.Healthy(t, newMinIO(t, m, secure(m.CAFile())))
	checking.Fails(t, newMinIO(t, m, secure("")), health.ReasonTLS)
	if f := checking.Fault(t, newMinIO(t, m, nil), health.ReasonTLS); !strings.Contains(f.Message, "MINIO_SECURE") {
		t.Errorf("message %q does not mention MINIO_SECURE", f.Message)
	}

	file := filepath.Join(t.TempDir(), "ca.crt")
	late := newMinIO(t, m, secure(file))
	if f := checking.Fault(t, late, health.ReasonTLS); !strings.Contains(f.Message, "_CA_FILE") {
		t.Errorf("message %q does not mention _CA_FILE", f.Message)
	}
	ca, err := os.ReadFile(m.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	checking.Healthy(t, late)

	plain := servers.RunMinIO(t, servers.MinIOOptions{})
	if f := checking.Fault(t, newMinIO(t, plain, secure("")), health.ReasonTLS); !strings.Contains(f.Message, "MINIO_SECURE") {
		t.Errorf("message %q does not mention MINIO_SECURE", f.Message)
	}
}

func TestMinIOWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	checking.SeveralAddresses(t, 23, m.Port(), true, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openMinIO(t, s3.Options{
			Endpoint: net.JoinHostPort("several.example", strconv.Itoa(m.Port())), Keys: keys(m.AccessKey, m.SecretKey),
			Timeout: timeout, Lookup: lookup,
		})
	})
}
