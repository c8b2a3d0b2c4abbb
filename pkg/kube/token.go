package kube

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/reims/reims-health/pkg/readfile"
)

// errToken is a request that was not sent, for lack of a token.
var errToken = errors.New("read the service account's token")

// maxTokenSize bounds the file of the token, in bytes.
const maxTokenSize = 64 << 10

// tokenFile gives each request the token that the file holds at that moment. Requests
// are few, so that nothing is gained by keeping it, as client-go does for a minute.
type tokenFile struct {
	path string
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t tokenFile) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.read()
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(r)
}

func (t tokenFile) read() (string, error) {
	raw, err := readfile.Regular(t.path, maxTokenSize)
	if err != nil {
		return "", err
	}
	token := bytes.TrimSpace(raw)
	if len(token) == 0 {
		return "", fmt.Errorf("%s is empty", t.path)
	}
	return string(token), nil
}
