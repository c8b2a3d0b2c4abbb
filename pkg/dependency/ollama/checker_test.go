package ollama_test

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/test/checking"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// newOllama returns a checker of o, changed by edit.
func newOllama(t *testing.T, o *servers.Ollama, edit func(*ollama.Options)) *ollama.Checker {
	t.Helper()
	options := ollama.Options{BaseURL: o.Endpoint(), Timeout: 5 * time.Second}
	if edit != nil {
		edit(&options)
	}
	return openOllama(t, options)
}

func openOllama(t *testing.T, options ollama.Options) *ollama.Checker {
	t.Helper()
	options.Prefix = "OLLAMA_"
	p := ollama.New(options)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestOllamaHealthy(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	p := newOllama(t, o, func(options *ollama.Options) {
		options.BaseURL = strings.Replace(o.Endpoint(), "//", "//canary-user:canary-secret@", 1) + "/"
	})
	if n, ok := checking.Healthy(t, p).Find("models_count"); !ok || n != 0 {
		t.Errorf("models_count = %v of an empty server", n)
	}
	for _, name := range []string{"m1", "m2:small", "m3", "m4"} {
		if err := o.CreateModel(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	seen := checking.Declared(t, ollama.Kind(), checking.Healthy(t, p))
	want := []health.Value{
		health.Number("models_count", 4),
		health.List("models", seen.Values[1].List), // latest first, to the second
		health.Text("endpoint", o.Endpoint()+"/"),
		health.Number("status_code", 200),
	}
	if diff := cmp.Diff(want, seen.Values); diff != "" || len(seen.Values[1].List) != 3 {
		t.Errorf("measures (-want +got):\n%s", diff)
	}
	if seen.Latency <= 0 {
		t.Errorf("latency = %v", seen.Latency)
	}
}

func TestOllamaOneRoundTrip(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{})
	w := checking.NewWire(t, o.Addr())
	p := newOllama(t, o, func(options *ollama.Options) {
		options.BaseURL, options.RequiredModels = "http://"+w.Addr(), []string{servers.Model}
	})
	checking.OneRoundTrip(t, w, p)
}

func TestOllamaRequiredModels(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{})
	for _, name := range []string{"other:small", "MyNS/tiny:V1"} {
		if err := o.CreateModel(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		required []string
		missing  string
	}{
		"tag left out":       {[]string{"tiny"}, ""},
		"tag named":          {[]string{"tiny:latest", "other:small"}, ""},
		"another tag":        {[]string{"tiny:small", "tiny"}, ": tiny:small"},
		"no latest":          {[]string{"other", "llama3"}, ": other, llama3"},
		"as Ollama takes it": {[]string{"TINY", "library/tiny", "registry.ollama.ai/library/tiny:latest", "https://Registry.ollama.ai/library/Tiny:LATEST", "Other:SMALL"}, ""},
		"its namespace":      {[]string{"MyNS/Tiny:V1", "myns/tiny:v1"}, ""},
		"another namespace":  {[]string{"ns/tiny"}, ": ns/tiny"},
		"with a digest":      {[]string{"tiny@sha256:abc"}, ": tiny@sha256:abc"},
		"an empty tag":       {[]string{"tiny:"}, ": tiny:"},
		"in a registry":      {[]string{"localhost:5000/library/tiny"}, ": localhost:5000/library/tiny"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newOllama(t, o, func(options *ollama.Options) { options.RequiredModels = test.required })
			if test.missing == "" {
				checking.Healthy(t, p)
				return
			}
			seen, err := p.Check(t.Context())
			if f := checking.WantFault(t, err, ollama.ReasonModelMissing); !strings.HasSuffix(f.Message, test.missing) {
				t.Errorf("message %q does not end in %q", f.Message, test.missing)
			}
			if n, _ := seen.Find("models_count"); n != 3 {
				t.Errorf("models_count = %v, want 3", n)
			}
		})
	}
}

func TestOllamaModelComesAndGoes(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{})
	p := newOllama(t, o, func(options *ollama.Options) { options.RequiredModels = []string{"tiny"} })
	checking.Healthy(t, p)
	if err := o.DeleteModel(t.Context(), "tiny"); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, p, ollama.ReasonModelMissing)
	if err := o.CreateModel(t.Context(), "tiny"); err != nil {
		t.Fatal(err)
	}
	checking.Healthy(t, p)
}

// What a real Ollama cannot be brought to say.
func TestOllamaAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason health.Reason // empty: healthy
		status float64       // zero: no answer that has one
	}{
		"a login":       {checking.Reply(401, ""), health.ReasonAuth, 401},
		"forbidden":     {checking.Reply(403, "canary"), health.ReasonForbidden, 403},
		"too many":      {checking.Reply(429, ""), health.ReasonProtocol, 429},
		"unavailable":   {checking.Reply(503, ""), health.ReasonProtocol, 503},
		"busy":          {checking.Reply(503, `{"error":"server busy, please try again. canary"}`), health.ReasonOverloaded, 503},
		"queue is full": {checking.Reply(429, `{"error":"maximum pending requests exceeded"}`), health.ReasonOverloaded, 429},
		"Tyk's limit":   {checking.Reply(429, `{"error":"API Rate limit exceeded"}`), health.ReasonProtocol, 429},
		"Tyk's backend": {checking.Reply(502, `{"error":"There was a problem proxying the request"}`), health.ReasonProtocol, 502},
		"no upstream":   {checking.Reply(503, `{"error":"no healthy upstream"}`), health.ReasonProtocol, 503},
		"gateway's 504": {checking.Reply(504, `{"error":"upstream request timeout"}`), health.ReasonProtocol, 504},
		"Envoy":         {checking.Reply(503, "upstream connect error or disconnect/reset before headers. reset reason: connection failure"), health.ReasonProtocol, 503},
		"Traefik":       {checking.Reply(503, "no available server\n"), health.ReasonProtocol, 503},
		"Amazon":        {checking.Reply(503, "<html><head><title>503 Service Temporarily Unavailable</title></head></html>"), health.ReasonProtocol, 503},
		"Cloudflare":    {checking.Reply(530, "error code: 1033"), health.ReasonProtocol, 530},
		"Azure":         {checking.Reply(502, `{"error":{"code":"BackendConnectionFailure","message":"canary"}}`), health.ReasonProtocol, 502},
		"cut":           {checking.Reply(503, `{"error":"server busy, pl`), health.ReasonProtocol, 503},
		"another's 503": {checking.Reply(503, `{"message":"no Route matched, canary"}`), health.ReasonProtocol, 503},
		"another's 500": {checking.Reply(500, "Internal Server Error canary"), health.ReasonProtocol, 500},
		"null":          {checking.Reply(200, `{"models":null}`), "", 200},
		"no list":       {checking.Reply(200, `{"models":{"name":"x"}}`), health.ReasonProtocol, 200},
		"its own error": {checking.Reply(500, `{"error":"canary"}`), health.ReasonError, 500},
		"no such path":  {checking.Reply(404, "canary"), health.ReasonProtocol, 404},
		"redirect":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, health.ReasonProtocol, 302},
		"a web page":    {checking.Reply(200, "<html>canary</html>"), health.ReasonProtocol, 200},
		"nothing":       {checking.Reply(200, ""), health.ReasonProtocol, 200},
		"other JSON":    {checking.Reply(200, `{"ok":true}`), health.ReasonProtocol, 200},
		"a list":        {checking.Reply(200, `["tiny"]`), health.ReasonProtocol, 200},
		"no names":      {checking.Reply(200, `{"models":[{"size":1}]}`), health.ReasonProtocol, 200},
		"more after it": {checking.Reply(200, `{"models":[]}canary`), health.ReasonProtocol, 200},
		"100 MB":        {checking.Huge, health.ReasonProtocol, 0},
		"no models":     {checking.Reply(200, `{"models":[]}`), "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openOllama(t, ollama.Options{BaseURL: "http://" + checking.ServeHTTP(t, test.answer), Timeout: 5 * time.Second})
			seen, err := p.Check(t.Context())
			if got, _ := seen.Find("status_code"); got != test.status {
				t.Errorf("status_code = %v, want %v", got, test.status)
			}
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if f := checking.WantFault(t, err, test.reason); strings.Contains(f.Message, "canary") {
				t.Errorf("message %q carries the server's text", f.Message)
			}
		})
	}
}

func TestOllamaSchemes(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	p := newOllama(t, o, func(options *ollama.Options) {
		options.BaseURL = strings.Replace(o.Endpoint(), "http:", "https:", 1)
	})
	if f := checking.Fault(t, p, health.ReasonTLS); !strings.Contains(f.Message, "OLLAMA_HOST") {
		t.Errorf("message %q does not mention OLLAMA_HOST", f.Message)
	}
}

func TestOllamaWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	checking.SeveralAddresses(t, 24, o.Port(), false, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openOllama(t, ollama.Options{
			// Ollama on a loopback address refuses other host names.
			BaseURL: "http://" + net.JoinHostPort("several.internal", strconv.Itoa(o.Port())),
			Timeout: timeout, Lookup: lookup,
		})
	})
}
