package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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
		text, secret := v.Value, isSecret(v.Name)
		if name, ok := strings.CutSuffix(v.Name, "_FILE"); ok && isSecret(name) {
			content, _ := os.ReadFile(v.Value) // a missing file holds no secret
			text, secret = strings.TrimSpace(string(content)), true
		}
		_, query, _ := strings.Cut(text, "?")
		switch u, err := url.Parse(text); {
		case err == nil && u.User != nil: // the address in it is no secret
			password, _ := u.User.Password()
			found.add(v.Name, password)
		case secret:
			found.add(v.Name, text)
		case strings.HasSuffix(v.Name, "_CHECK"):
			found.add(v.Name, query)
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
	_, rest, named := strings.Cut(variable, "NAMED_") // see [secretive.configure]
	_, suffix, _ := strings.Cut(rest, "_")
	return named && secretOfNamed(suffix)
}

// secretOfNamed reports whether services of any scheme have a secret of that name, without its
// prefix.
func secretOfNamed(name string) bool {
	services, err := registry.Kinds().Examples("x")
	if err != nil {
		return false
	}
	for _, service := range services {
		for _, v := range config.Variables([]*config.Service{service}) {
			if v.Name == "X_"+name {
				return v.Secret
			}
		}
	}
	return false
}

// add makes a value known, such as one that is rotated in later, in the forms in which it
// could be written: as it is, in base64 (within a text it begins at any of three places), in
// hexadecimal digits, and escaped for a URL or for JSON. A canary has letters in a row, which
// other escapes leave alone.
func (s *secrets) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addForm(name, value)
	if len(value) < window {
		return
	}
	for offset := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), value...))
		s.addForm(name, text[4:len(text)-4]) // the ends depend on what stands beside the value
	}
	quoted, _ := json.Marshal(value)
	for _, form := range []string{hex.EncodeToString([]byte(value)), url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`)} {
		s.addForm(name, form)
	}
}

func (s *secrets) addForm(name, value string) {
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
