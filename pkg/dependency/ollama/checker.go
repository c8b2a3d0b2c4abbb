package ollama

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

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// Options says which Ollama to ask, and how.
type Options struct {
	// BaseURL is the server's, such as http://localhost:11434.
	BaseURL string
	// RequiredModels must be present. Names are compared as Ollama does: case does
	// not matter, and a name without a tag means its latest.
	RequiredModels []string
	// InferenceModel is asked for one token at most once per minute, while it is
	// loaded and stays for two minutes more. Empty means never.
	//
	// It stays no longer for that, and is asked with the context length that it was
	// loaded with. If its users set other options that belong to loading (num_gpu,
	// num_thread, num_batch, a num_ctx above the model's own), they belong in its
	// Modelfile: Ollama loads a model anew for a request that differs in them.
	InferenceModel string
	// Certificates remembers those of the server. Nil: they are not remembered.
	Certificates *dependency.Certificates
	// Timeout bounds a check, dialling and inference included.
	Timeout time.Duration
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
	// Lookup resolves the host of BaseURL. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks an Ollama server: GET /api/tags, and the opt-in inference.
type Checker struct {
	web       *dependency.HTTPClient
	options   Options
	endpoint  string // BaseURL without user and password
	inference inference
}

var (
	_ health.Checker  = (*Checker)(nil)
	_ health.Redialer = (*Checker)(nil)
)

// New returns a checker of the server at options.BaseURL. It does not
// connect.
func New(options Options) *Checker {
	o := &Checker{options: options}
	host := ""
	if base, err := url.Parse(options.BaseURL); err == nil {
		base.User = nil
		o.endpoint, host = base.String(), base.Hostname()
	}
	o.web = dependency.NewHTTPClient(dependency.HTTPOptions{
		Scheme: "{HOST}", TLS: dependency.TLSConfig("", host, options.Certificates), Timeout: options.Timeout, Lookup: options.Lookup,
	})
	o.options.BaseURL = strings.TrimSuffix(options.BaseURL, "/")
	return o
}

// Redial implements [health.Redialer].
func (o *Checker) Redial() { o.web.Redial() }

// Close gives up the connection. It must not run beside Check.
func (o *Checker) Close() error { return o.web.Close() }

// Check implements [health.Checker]. The latency is that of /api/tags alone.
func (o *Checker) Check(ctx context.Context) (health.Observation, error) {
	return o.options.Prefix.Explain(o.check(ctx))
}

func (o *Checker) check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, o.options.Timeout)
	defer cancel()
	o.web.Begin()

	where := []health.Value{health.Text("endpoint", o.endpoint)}
	reply, err := o.web.Get(ctx, o.options.BaseURL+"/api/tags")
	if err != nil {
		return health.Observation{Values: where}, err
	}
	where = append(where, health.Number("status_code", reply.Status))
	if isWithheld(reply) && o.answersVersion(ctx) {
		return o.checkUnlisted(ctx, health.Observation{Latency: reply.Latency, Values: where})
	}
	models, err := readModels(reply)
	if err != nil {
		return health.Observation{Values: where}, err
	}
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Name
	}
	seen := health.Observation{
		Latency: reply.Latency,
		Values: append([]health.Value{
			health.Number("models_count", len(names)),
			health.List("models", names[:min(3, len(names))]),
		}, where...),
	}
	if err := o.requireModels(names); err != nil {
		return seen, err
	}
	seen.Notes, err = o.infer(ctx)
	return seen, err
}

// answersVersion reports whether Ollama answers where its list of models is
// withheld.
func (o *Checker) answersVersion(ctx context.Context) bool {
	reply, err := o.web.Get(ctx, o.options.BaseURL+"/api/version")
	var answer struct{ Version string }
	return err == nil && reply.Status == http.StatusOK && json.Unmarshal(reply.Body, &answer) == nil && answer.Version != ""
}

// checkUnlisted goes on with an Ollama that does not list its models.
func (o *Checker) checkUnlisted(ctx context.Context, seen health.Observation) (health.Observation, error) {
	if len(o.options.RequiredModels) > 0 {
		return seen, &health.Fault{
			Reason:  health.ReasonForbidden,
			Message: "Ollama, or a proxy before it, does not answer /api/tags, which {REQUIRED_MODELS} needs",
		}
	}
	notes, err := o.infer(ctx)
	seen.Notes = append([]string{"Ollama, or a proxy before it, does not answer /api/tags: its models are unknown"}, notes...)
	return seen, err
}

func (o *Checker) requireModels(present []string) error {
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
		Reason:  ReasonModelMissing,
		Message: "these models of {REQUIRED_MODELS} are not there: " + strings.Join(missing, ", "),
	}
}

// sameModel reports whether Ollama takes two names for one model.
func sameModel(a, b string) bool {
	return slices.EqualFunc(modelParts(a), modelParts(b), strings.EqualFold)
}

// modelParts returns host, namespace, model and tag of a model's name as Ollama
// reads them: [scheme://][host/][namespace/]model[:tag]. Letter case does not
// matter. A part that its separator promises and that is missing matches no other.
func modelParts(name string) []string {
	parts := []string{"registry.ollama.ai", "library", "", "latest"}
	rest := name
	if strings.LastIndex(rest, ":") > strings.LastIndex(rest, "/") { // else it belongs to a port
		rest, parts[3] = cutLast(rest, ":")
	}
	for i := 2; i > 0; i-- {
		if !strings.Contains(rest, "/") {
			parts[i] = rest
			return parts
		}
		rest, parts[i] = cutLast(rest, "/")
	}
	if _, host, ok := strings.Cut(rest, "://"); ok {
		rest = host
	}
	parts[0] = rest
	return parts
}

func cutLast(text, separator string) (before, after string) {
	i := strings.LastIndex(text, separator)
	return text[:i], text[i+len(separator):]
}

// model is an entry of /api/tags, or of /api/ps, which alone has the last
// two.
type model struct {
	Name          string
	ExpiresAt     time.Time `json:"expires_at"`
	ContextLength int       `json:"context_length"`
}

// readModels reads a list of models, which may be empty or null but not absent. Its
// error is a [health.Fault].
func readModels(reply dependency.HTTPReply) ([]model, error) {
	if reply.Status != http.StatusOK {
		return nil, faultOf(reply)
	}
	var (
		answer struct{ Models json.RawMessage }
		models []model
	)
	err := json.Unmarshal(reply.Body, &answer)
	if err == nil && answer.Models == nil {
		err = errors.New("no list of models")
	}
	if err == nil {
		err = json.Unmarshal(answer.Models, &models)
	}
	if err == nil && slices.ContainsFunc(models, func(m model) bool { return m.Name == "" }) {
		err = errors.New("a model without a name")
	}
	if err != nil {
		fault := reply.StrangerFault("Ollama", "Ollama", addressVariables, "{HOST}")
		fault.Err = err
		return nil, fault
	}
	return models, nil
}

const addressVariables = "{HOST} and {PORT}"

// isOwnError reports whether an answer that is no success is in Ollama's own form:
// {"error": "…"} and nothing else. Gateways add a time or a path, or repeat the status.
func isOwnError(r dependency.HTTPReply) bool {
	var answer map[string]any
	if json.Unmarshal(r.Body, &answer) != nil || len(answer) != 1 {
		return false
	}
	text, own := answer["error"].(string)
	return own && !strings.EqualFold(text, http.StatusText(r.Status))
}

// isBusy reports whether an error in Ollama's form is that of its full queue. Gateways use
// the same form for a limit of theirs (Tyk's "API Rate limit exceeded") and for a backend
// that is down.
func isBusy(r dependency.HTTPReply) bool {
	text := strings.ToLower(string(r.Body))
	return (r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable) &&
		(strings.Contains(text, "server busy") || strings.Contains(text, "pending requests") || strings.Contains(text, "overloaded"))
}

// isWithheld reports whether a path is not there, or not for this client, rather
// than failing.
func isWithheld(r dependency.HTTPReply) bool {
	switch r.Status {
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return true
	case http.StatusNotFound:
		return !isOwnError(r) // that is about a model
	default:
		return false
	}
}

// faultOf classifies an answer that is no success. Ollama has no login: one is
// asked for by a proxy, for which {HOST} may hold user and password.
func faultOf(reply dependency.HTTPReply) *health.Fault {
	fault := &health.Fault{Err: fmt.Errorf("answer %d", reply.Status)}
	own, status := isOwnError(reply), reply.Status
	switch {
	case status == http.StatusUnauthorized && (!reply.IsPage() || reply.Header.Get("WWW-Authenticate") != ""):
		fault.Reason = health.ReasonAuth
		fault.Message = "a proxy before Ollama asks for a login: {HOST} may be a URL that holds one"
	case status == http.StatusForbidden && len(reply.Body) == 0:
		fault.Reason = health.ReasonForbidden
		fault.Message = "Ollama refuses the host name by which it is asked, as it does while it listens on a loopback address: " +
			"start Ollama with OLLAMA_HOST=0.0.0.0, or let a proxy before it send Host: localhost"
	case status == http.StatusForbidden && !reply.IsPage():
		fault.Reason = health.ReasonForbidden
		fault.Message = "the server refuses this client: see the proxy in front of Ollama"
	case own && isBusy(reply):
		fault.Reason = health.ReasonOverloaded
		fault.Message = "Ollama says that it is busy"
	case own && status == http.StatusInternalServerError:
		fault.Reason = health.ReasonError
		fault.Message = "Ollama answers with an error of its own; see its log"
	default:
		return reply.StrangerFault("Ollama", "Ollama", addressVariables, "{HOST}")
	}
	return fault
}
