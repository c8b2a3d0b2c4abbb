package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// OllamaOptions says which Ollama to ask, and how.
type OllamaOptions struct {
	// BaseURL is the server's, such as http://localhost:11434.
	BaseURL string
	// RequiredModels must be present. A name without a tag means its latest.
	RequiredModels []string
	// InferenceModel is asked for one token at most once a minute, while it is
	// loaded and stays for two minutes more. Empty means never.
	//
	// It stays no longer for that, and is asked with the context length that it was
	// loaded with. If its users set other options that belong to loading (num_gpu,
	// num_thread, num_batch, a num_ctx above the model's own), they belong in its
	// Modelfile: Ollama loads a model anew for a request that differs in them.
	InferenceModel string
	// Timeout bounds a check, dialling and inference included.
	Timeout time.Duration
	// Lookup resolves the host of BaseURL. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Ollama checks an Ollama server: GET /api/tags, and the opt-in inference.
type Ollama struct {
	*webClient
	options   OllamaOptions
	endpoint  string // BaseURL without user and password
	inference inference
}

var (
	_ health.Checker  = (*Ollama)(nil)
	_ health.Redialer = (*Ollama)(nil)
)

// NewOllama returns a checker of the server at options.BaseURL. It does not
// connect.
func NewOllama(options OllamaOptions) *Ollama {
	o := &Ollama{
		webClient: newWebClient("OLLAMA_HOST", TLSConfig(""), options.Timeout, options.Lookup),
		options:   options,
	}
	if base, err := url.Parse(options.BaseURL); err == nil {
		base.User = nil
		o.endpoint = base.String()
	}
	o.options.BaseURL = strings.TrimSuffix(options.BaseURL, "/")
	return o
}

// Check implements [health.Checker]. The latency is that of /api/tags alone.
func (o *Ollama) Check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, o.options.Timeout)
	defer cancel()
	o.begin()

	where := []health.Measure{health.Text("endpoint", o.endpoint)}
	reply, err := o.get(ctx, o.options.BaseURL+"/api/tags")
	if err != nil {
		return health.Observation{Measures: where}, err
	}
	where = append(where, health.Number("status_code", reply.status))
	models, err := readModels(reply)
	if err != nil {
		return health.Observation{Measures: where}, err
	}
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Name
	}
	seen := health.Observation{
		Latency: reply.latency,
		Measures: append([]health.Measure{
			health.Number("models_count", len(names)),
			health.List("models", names[:min(3, len(names))]),
		}, where...),
	}
	if err := o.requireModels(names); err != nil {
		return seen, err
	}
	return seen, o.infer(ctx)
}

func (o *Ollama) requireModels(present []string) error {
	var missing []string
	for _, name := range o.options.RequiredModels {
		if !slices.ContainsFunc(present, func(p string) bool { return sameModel(p, name) }) {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	return &health.Fault{
		Reason:  health.ModelMissing,
		Message: "these models of OLLAMA_REQUIRED_MODELS are not there: " + strings.Join(missing, ", "),
	}
}

// sameModel reports whether two names mean one model. The tag, by default latest,
// comes after the last slash: before it, a colon belongs to a registry's port.
func sameModel(a, b string) bool { return withTag(a) == withTag(b) }

func withTag(name string) string {
	if strings.Contains(name[strings.LastIndex(name, "/")+1:], ":") {
		return name
	}
	return name + ":latest"
}

// ollamaModel is an entry of /api/tags, or of /api/ps, which alone has the last
// two.
type ollamaModel struct {
	Name          string
	ExpiresAt     time.Time `json:"expires_at"`
	ContextLength int       `json:"context_length"`
}

// readModels reads a list of models, which may be empty but not absent. Its error
// is a [health.Fault].
func readModels(reply webReply) ([]ollamaModel, error) {
	if reply.status != http.StatusOK {
		reason := statusReason(reply.status)
		return nil, &health.Fault{Reason: reason, Message: ollamaMessages[reason], Err: fmt.Errorf("answer %d", reply.status)}
	}
	var list struct{ Models *[]ollamaModel }
	err := json.Unmarshal(reply.body, &list)
	if err == nil && list.Models == nil {
		err = errors.New("no list of models")
	}
	if err == nil && slices.ContainsFunc(*list.Models, func(m ollamaModel) bool { return m.Name == "" }) {
		err = errors.New("a model without a name")
	}
	if err != nil {
		return nil, &health.Fault{Reason: health.Protocol, Message: ollamaMessages[health.Protocol], Err: err}
	}
	return *list.Models, nil
}

var ollamaMessages = map[health.Reason]string{
	health.Auth:      "the server asks for a login: OLLAMA_HOST may be a URL that holds one",
	health.Forbidden: "the server refuses this client: see the proxy in front of Ollama",
	health.Error:     "Ollama answers with an error of its own; see its log",
	health.Protocol:  "what answers at OLLAMA_HOST and OLLAMA_PORT is not Ollama",
}
