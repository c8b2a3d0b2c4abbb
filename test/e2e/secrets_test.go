package e2e_test

import (
	"encoding/base64"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/servers"
)

// window is how many bytes of a secret in a row are a leak. It is long enough not
// to be met by chance, and finds secrets that were cut or escaped in part.
const window = 12

// secrets are the parts of one sidecar's secrets, by the variable's name.
type secrets struct {
	mu    sync.Mutex
	parts map[string][]string
}

// secretsOf collects what is secret in an environment: the values of the variables
// that the configuration calls so, those in their files, and user information.
func secretsOf(t testing.TB, vars []servers.Var) *secrets {
	t.Helper()
	found := &secrets{parts: map[string][]string{}}
	for _, v := range vars {
		if name, ok := strings.CutSuffix(v.Name, "_FILE"); ok && isSecret(name) {
			value, _ := os.ReadFile(v.Value) // a missing file holds no secret
			found.add(v.Name, strings.TrimSpace(string(value)))
		}
		if isSecret(v.Name) {
			found.add(v.Name, v.Value)
		}
		if u, err := url.Parse(v.Value); err == nil && u.User != nil {
			password, _ := u.User.Password()
			found.add(v.Name, password)
			found.add(v.Name, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		}
	}
	return found
}

func isSecret(variable string) bool {
	for _, v := range config.Variables(registry.Kinds().Services()) {
		if v.Name == variable {
			return v.Secret
		}
	}
	return false
}

// add makes a value known, such as one that is rotated in later.
func (s *secrets) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i+window <= len(value); i++ {
		s.parts[name] = append(s.parts[name], value[i:i+window])
	}
	if value != "" && len(value) < window {
		s.parts[name] = append(s.parts[name], value)
	}
}

// check fails the test if the text holds a part of a secret.
func (s *secrets) check(t testing.TB, where, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, parts := range s.parts {
		for _, part := range parts {
			if i := strings.Index(text, part); i >= 0 {
				t.Errorf("%s shows a part of %s after %q", where, name, text[max(0, i-80):i])
				break
			}
		}
	}
}
