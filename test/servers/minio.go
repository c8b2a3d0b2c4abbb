package servers

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/reims/reims-health/test/servers/install"
)

// MinIOOptions say how to start a MinIO.
type MinIOOptions struct {
	Options
	// TLS lets it speak TLS, and nothing else, see [MinIO.CAFile].
	TLS bool
	// Env holds further variables for the server, such as
	// "MINIO_API_REQUESTS_MAX=1".
	Env []string
	// Drives is the number of folders that stand for drives, by default one. With
	// four, objects survive the loss of two. See [MinIO.Drive].
	Drives int
}

// MinIO is a MinIO with no buckets.
type MinIO struct {
	*Process
	// AccessKey and SecretKey are the root user's.
	AccessKey, SecretKey string
	certs                certFiles
}

// NewMinIO prepares a MinIO. Start builds it first when this user has none.
func NewMinIO(o MinIOOptions) (*MinIO, error) {
	p, err := newProcess("minio", o.Options)
	if err != nil {
		return nil, err
	}
	m := &MinIO{Process: p}
	if m.AccessKey, err = secret(m.dir, "user"); err != nil {
		return nil, fmt.Errorf("set up minio: %w", err)
	}
	if m.SecretKey, err = secret(m.dir, "password"); err != nil {
		return nil, fmt.Errorf("set up minio: %w", err)
	}
	certs := filepath.Join(m.dir, "tls")
	if o.TLS {
		if m.certs, err = writeCertificate(certs); err != nil {
			return nil, fmt.Errorf("set up minio: %w", err)
		}
	}
	m.prepare, m.ready = m.build, m.live
	m.args = []string{
		"server", "--address", m.Addr(), "--config-dir", filepath.Join(m.dir, "config"),
		"--certs-dir", certs,
	}
	if o.Drives <= 1 {
		m.args = append(m.args, filepath.Join(m.dir, "data"))
	}
	for i := 0; o.Drives > 1 && i < o.Drives; i++ {
		m.args = append(m.args, m.Drive(i))
	}
	m.env = append([]string{
		"HOME=" + m.dir, "MINIO_ROOT_USER=" + m.AccessKey, "MINIO_ROOT_PASSWORD=" + m.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}, o.Env...)
	if o.Drives > 1 {
		m.env = append(m.env, "MINIO_CI_CD=on") // or it refuses several drives on the root file system
	}
	return m, nil
}

// Drive returns the folder of a drive, counted from zero, of a MinIO with several.
func (m *MinIO) Drive(i int) string { return filepath.Join(m.dir, fmt.Sprintf("drive%d", i+1)) }

func (m *MinIO) build(ctx context.Context) (err error) {
	m.path, err = install.Program(ctx, m.progress(), "minio")
	return err
}

// live waits for the first signed answer: for a while after /minio/health/live
// is 200, the users are not loaded yet.
func (m *MinIO) live(ctx context.Context) error {
	client, err := m.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := httpOK(ctx, client, m.Endpoint()+"/minio/health/live"); err != nil {
		return err
	}
	return m.use(func(c *minio.Client) error {
		_, err := c.ListBuckets(ctx)
		return err
	})
}

// Endpoint returns the server's URL.
func (m *MinIO) Endpoint() string {
	if m.CAFile() != "" {
		return "https://" + m.Addr()
	}
	return "http://" + m.Addr()
}

// CAFile returns the path of the certificate authority to trust, or nothing
// without [MinIOOptions].TLS.
func (m *MinIO) CAFile() string { return m.certs.CA }

// MakeBucket makes an empty bucket.
func (m *MinIO) MakeBucket(ctx context.Context, bucket string) error {
	err := m.use(func(c *minio.Client) error { return c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}) })
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	return nil
}

// RemoveBucket removes an empty bucket.
func (m *MinIO) RemoveBucket(ctx context.Context, bucket string) error {
	err := m.use(func(c *minio.Client) error { return c.RemoveBucket(ctx, bucket) })
	if err != nil {
		return fmt.Errorf("remove bucket %s: %w", bucket, err)
	}
	return nil
}

// use calls f with a client of the root user, over connections of its own.
func (m *MinIO) use(f func(*minio.Client) error) error {
	h, err := m.httpClient()
	if err != nil {
		return err
	}
	defer h.CloseIdleConnections()
	c, err := minio.New(m.Addr(), &minio.Options{
		Creds: credentials.NewStaticV4(m.AccessKey, m.SecretKey, ""), Secure: m.CAFile() != "",
		Transport: h.Transport, MaxRetries: 1, Region: "us-east-1",
	})
	if err != nil {
		return err
	}
	return f(c)
}

func (m *MinIO) httpClient() (*http.Client, error) {
	var config *tls.Config
	if m.CAFile() != "" {
		var err error
		if config, err = trust(m.CAFile()); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, nil
}

// Env returns the variables by which the product reaches this server.
func (m *MinIO) Env() []Var {
	vars := []Var{
		{"MINIO_ENDPOINT", m.Addr()},
		{"MINIO_ACCESS_KEY", m.AccessKey},
		{"MINIO_SECRET_KEY", m.SecretKey},
		{"MINIO_SECURE", strconv.FormatBool(m.CAFile() != "")},
	}
	if m.CAFile() != "" {
		vars = append(vars, Var{"MINIO_CA_FILE", m.CAFile()})
	}
	return vars
}
