package servers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/reims/reims-health/test/servers"
)

func minioClient(t *testing.T, m *servers.MinIO, key servers.Key) *minio.Client {
	t.Helper()
	options := &minio.Options{Creds: credentials.NewStaticV4(key.AccessKey, key.SecretKey, ""), MaxRetries: 1}
	if m.CAFile() != "" {
		options.Secure, options.Transport = true, &http.Transport{TLSClientConfig: trust(t, m.CAFile())}
	}
	client, err := minio.New(m.Addr(), options)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func trust(t *testing.T, caFile string) *tls.Config {
	t.Helper()
	raw, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		t.Fatalf("no certificate in %s", caFile)
	}
	return &tls.Config{RootCAs: roots}
}

func TestMinIOFaults(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	if err := m.MakeBucket(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	client := minioClient(t, m, servers.Key{AccessKey: m.AccessKey, SecretKey: m.SecretKey})
	testFaults(t, m, func(ctx context.Context) error {
		buckets, err := client.ListBuckets(ctx)
		if err == nil && (len(buckets) != 1 || buckets[0].Name != "kept") {
			t.Errorf("buckets %v, want kept", buckets)
		}
		return err
	})
}

func TestMinIOTLS(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{TLS: true})
	client := minioClient(t, m, servers.Key{AccessKey: m.AccessKey, SecretKey: m.SecretKey})
	if _, err := client.ListBuckets(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMinIOKeys(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	for _, bucket := range []string{"ours", "theirs"} {
		if err := m.MakeBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
	}
	key, err := m.AddKey(t.Context(), servers.BucketPolicy("ours"))
	if err != nil {
		t.Fatal(err)
	}
	wantAccess(t, m, key, "ours", "")
	wantAccess(t, m, key, "theirs", "AccessDenied")

	changed := servers.Key{AccessKey: key.AccessKey, SecretKey: "another-secret"}
	if err := m.SetSecret(t.Context(), changed.AccessKey, changed.SecretKey); err != nil {
		t.Fatal(err)
	}
	wantAccess(t, m, key, "ours", "SignatureDoesNotMatch")
	wantAccess(t, m, changed, "ours", "")

	if err := m.RemoveKey(t.Context(), key.AccessKey); err != nil {
		t.Fatal(err)
	}
	wantAccess(t, m, changed, "ours", "InvalidAccessKeyId")

	if err := m.RemoveBucket(t.Context(), "ours"); err != nil {
		t.Error(err)
	}
}

// wantAccess lists a bucket and wants the S3 error code, or none.
func wantAccess(t *testing.T, m *servers.MinIO, key servers.Key, bucket, code string) {
	t.Helper()
	var err error
	for object := range minioClient(t, m, key).ListObjects(t.Context(), bucket, minio.ListObjectsOptions{}) {
		err = errors.Join(err, object.Err)
	}
	var refused minio.ErrorResponse
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused.Code != code {
		t.Errorf("list %s: %v, want %q", bucket, err, code)
	}
}
