package servers

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/reims/reims-health/test/servers/install"
)

// MinIOOptions say how to start a MinIO.
type MinIOOptions struct {
	Options
	// TLS lets it speak TLS, and nothing else, see [MinIO.CAFile].
	TLS bool
	// Valid is when the certificate is.
	Valid Validity
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
	region               string
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
		if m.certs, err = writeCertificate(certs, o.Valid); err != nil {
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
	m.region = "us-east-1"
	for _, line := range o.Env {
		if region, ok := strings.CutPrefix(line, "MINIO_SITE_REGION="); ok {
			m.region = region
		}
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

// live waits for the first signed answers: for a while after /minio/health/live is 200,
// the users are not loaded yet, and for another while the admin API has none.
func (m *MinIO) live(ctx context.Context) error {
	client, err := m.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := httpOK(ctx, client, m.Endpoint()+"/minio/health/live"); err != nil {
		return err
	}
	if err := m.s3(ctx, http.MethodGet, ""); err != nil {
		return err
	}
	return m.admin(ctx, http.MethodGet, "list-service-accounts", nil, nil)
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
	if err := m.s3(ctx, http.MethodPut, bucket); err != nil {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	return nil
}

// RemoveBucket removes an empty bucket.
func (m *MinIO) RemoveBucket(ctx context.Context, bucket string) error {
	if err := m.s3(ctx, http.MethodDelete, bucket); err != nil {
		return fmt.Errorf("remove bucket %s: %w", bucket, err)
	}
	return nil
}

// s3 sends a request of the root user about a bucket or, for "", about all of them. It is done
// here and not by MinIO's client library, which a first make run would wait for.
func (m *MinIO) s3(ctx context.Context, method, bucket string) error {
	r, err := http.NewRequestWithContext(ctx, method, m.Endpoint()+"/"+url.PathEscape(bucket), nil)
	if err != nil {
		return err
	}
	return m.send(r, nil, m.region)
}

// send signs a request as the root user, and sends it over a connection of its own.
func (m *MinIO) send(r *http.Request, body []byte, region string) error {
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	client, err := m.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	_, err = do(client, signer.SignV4(*r, m.AccessKey, m.SecretKey, "", region))
	return err
}

func (m *MinIO) httpClient() (*http.Client, error) {
	var config *tls.Config
	if m.CAFile() != "" {
		var err error
		if config, err = trust(m.certs); err != nil {
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

// Key is a pair of S3 credentials that may do less than the root user's.
type Key struct{ AccessKey, SecretKey string }

// AddKey makes credentials that may do what policy, an S3 policy document,
// allows, see [BucketPolicy].
func (m *MinIO) AddKey(ctx context.Context, policy string) (Key, error) {
	key := Key{AccessKey: rand.Text()[:20], SecretKey: rand.Text()}
	request := map[string]any{
		"accessKey": key.AccessKey, "secretKey": key.SecretKey, "policy": json.RawMessage(policy),
	}
	return key, m.admin(ctx, http.MethodPut, "add-service-account", nil, request)
}

// SetSecret changes the secret of a key: from then on, only the new one works.
func (m *MinIO) SetSecret(ctx context.Context, accessKey, secret string) error {
	return m.admin(ctx, http.MethodPost, "update-service-account",
		url.Values{"accessKey": {accessKey}}, map[string]any{"newSecretKey": secret})
}

// RemoveKey makes a key unknown to the server.
func (m *MinIO) RemoveKey(ctx context.Context, accessKey string) error {
	return m.admin(ctx, http.MethodDelete, "delete-service-account", url.Values{"accessKey": {accessKey}}, nil)
}

// BucketPolicy allows everything in one bucket, and nothing else: not to list
// the buckets either.
func BucketPolicy(bucket string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],`+
		`"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/*"]}]}`, bucket)
}

// admin sends a request of MinIO's admin API. It is done here and not by its
// client library, which would bring two hundred modules.
func (m *MinIO) admin(ctx context.Context, method, action string, query url.Values, request any) error {
	body, err := m.sealRequest(request)
	if err != nil {
		return fmt.Errorf("minio admin %s: %w", action, err)
	}
	target := m.Endpoint() + "/minio/admin/v3/" + action + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("minio admin %s: %w", action, err)
	}
	if err := m.send(r, body, ""); err != nil {
		return fmt.Errorf("minio admin %s: %w", action, err)
	}
	return nil
}

func (m *MinIO) sealRequest(request any) ([]byte, error) {
	if request == nil {
		return nil, nil
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return seal(m.SecretKey, raw)
}

// The parameters of MinIO's third way to seal the body of an admin request, the
// one that the standard library is enough for.
const (
	sealID         = 0x02
	sealSalt       = 32
	sealNonce      = 8
	sealIterations = 8192
	sealKey        = 32
	sealLast       = 0x80 // marks the last fragment
)

// seal encrypts the body of an admin request as MinIO wants it: salt, algorithm,
// nonce, data. The data is one fragment, so it must be shorter than 16 kB.
func seal(password string, plain []byte) ([]byte, error) {
	salt, nonce := make([]byte, sealSalt), make([]byte, sealNonce)
	rand.Read(salt)
	rand.Read(nonce)
	key, err := pbkdf2.Key(sha256.New, password, salt, sealIterations, sealKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	// Fragments are numbered from 1; number 0 authenticates the (empty) header.
	header := aead.Seal([]byte{sealLast}, fragmentNonce(nonce, 0), nil, nil)
	data := aead.Seal(nil, fragmentNonce(nonce, 1), plain, header)
	return slices.Concat(salt, []byte{sealID}, nonce, data), nil
}

func fragmentNonce(nonce []byte, number uint32) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(nonce), number)
}
