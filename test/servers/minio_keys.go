package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7/pkg/signer"
)

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
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	client, err := m.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if _, err := do(client, signer.SignV4(*r, m.AccessKey, m.SecretKey, "", "")); err != nil {
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
