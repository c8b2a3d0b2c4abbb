package ollama_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

// A path that Ollama, or a proxy before it, does not answer costs only what needs it.
func TestOllamaWithheldPaths(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		paths    map[string]string
		required []string
		reason   health.Reason // empty: healthy
		note     string
	}{
		"no list":              {map[string]string{"/api/version": `{"version":"0.17.4"}`}, nil, "", "/api/tags"},
		"no list, but wanted":  {map[string]string{"/api/version": `{"version":"0.17.4"}`}, []string{"tiny"}, health.ReasonForbidden, ""},
		"nothing":              {nil, nil, health.ReasonProtocol, ""},
		"another's version":    {map[string]string{"/api/version": `{"server":"x"}`}, nil, health.ReasonProtocol, ""},
		"list only":            {map[string]string{"/api/tags": `{"models":[{"name":"tiny:latest"}]}`}, []string{"TINY"}, "", "/api/ps"},
		"list and ps, no show": {map[string]string{"/api/tags": `{"models":[]}`, "/api/ps": `{"models":null}`}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, ok := test.paths[r.URL.Path]; ok {
					_, _ = io.WriteString(w, body)
					return
				}
				http.Error(w, "404 page not found", http.StatusNotFound)
			}))
			p := openOllama(t, ollama.Options{
				BaseURL: "http://" + addr, RequiredModels: test.required, InferenceModel: "tiny", Timeout: 5 * time.Second,
			})
			seen, err := p.Check(t.Context())
			if test.reason != "" {
				_ = checking.WantFault(t, err, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen.Notes, " "); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
				t.Errorf("notes %q, want one on %q", seen.Notes, test.note)
			}
		})
	}
}

// Ollama on a loopback address refuses a Host that it does not know, also where a
// proxy passes it on. That is not the proxy's refusal.
func TestOllamaRefusesHost(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	foreign := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: o.Addr(), HostHeader: "ollama.example.com"})
	checking.Says(t, checking.Fault(t, openOllama(t, ollama.Options{BaseURL: foreign.Endpoint(), Timeout: 5 * time.Second}), health.ReasonForbidden),
		"Ollama refuses the host name", "OLLAMA_HOST=0.0.0.0")
	local := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: o.Addr(), HostHeader: "localhost"})
	checking.Healthy(t, openOllama(t, ollama.Options{BaseURL: local.Endpoint(), Timeout: 5 * time.Second}))
}

// A proxy that lets only some paths pass costs the inference, whatever it answers to the
// others.
func TestOllamaWithheldInference(t *testing.T) {
	t.Parallel()
	for _, withheld := range []string{"/api/ps", "/api/show", "/api/generate"} {
		for name, answer := range map[string]http.HandlerFunc{
			"not there":      checking.Reply(404, "404 page not found"),
			"gateway's 404":  checking.Reply(404, `{"error":"Not Found"}`),
			"forbidden":      checking.Reply(403, ""),
			"forbidden page": checking.Reply(403, "<html>no</html>"),
			"method":         checking.Reply(405, ""),
			"login":          checking.Reply(401, ""),
			"to the login":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		} {
			t.Run(withheld+", "+name, func(t *testing.T) {
				t.Parallel()
				mux := http.NewServeMux()
				for path, answer := range map[string]http.HandlerFunc{
					"/api/tags":     checking.Reply(200, `{"models":[{"name":"tiny:latest"}]}`),
					"/api/ps":       checking.Reply(200, `{"models":[{"name":"tiny:latest","expires_at":"2399-01-01T00:00:00Z","context_length":8}]}`),
					"/api/show":     checking.Reply(200, `{"model_info":{}}`),
					"/api/generate": checking.Reply(200, `{"done":true}`),
				} {
					if path != withheld {
						mux.Handle(path, answer)
					}
				}
				mux.Handle(withheld, answer)
				p := openOllama(t, ollama.Options{BaseURL: "http://" + checking.ServeHTTP(t, mux), InferenceModel: "TINY", Timeout: 5 * time.Second})
				checking.Healthy(t, p) // sees the model
				if seen := checking.Healthy(t, p); len(seen.Notes) != 1 || !strings.Contains(seen.Notes[0], withheld) {
					t.Errorf("notes %q, want one on %s", seen.Notes, withheld)
				}
			})
		}
	}
}
