package servers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/reims/reims-health/test/servers/install"
	"github.com/reims/reims-health/test/servers/tinymodel"
)

// Model is the name of the model that every [Ollama] has.
const Model = "tiny"

// OllamaOptions say how to start an Ollama.
type OllamaOptions struct {
	Options
	// Empty leaves out the model.
	Empty bool
}

// Ollama is an Ollama with one tiny model.
type Ollama struct{ *Process }

// NewOllama prepares an Ollama. Start builds it first when this user has none.
func NewOllama(options OllamaOptions) (*Ollama, error) {
	p, err := newProcess("ollama", options.Options)
	if err != nil {
		return nil, err
	}
	o := &Ollama{p}
	o.prepare, o.ready = o.build, o.version
	if !options.Empty {
		o.fill = func(ctx context.Context) error { return o.CreateModel(ctx, Model) }
	}
	o.args = []string{"serve"}
	o.env = []string{
		"HOME=" + o.dir, "OLLAMA_HOST=" + o.Addr(), "OLLAMA_MODELS=" + filepath.Join(o.dir, "models"),
		"OLLAMA_NOPRUNE=1",
	}
	o.deathSignal = o.stopSignal // killed, it would leave its runner behind
	return o, nil
}

func (o *Ollama) build(ctx context.Context) (err error) {
	o.path, err = install.Program(ctx, o.progress(), "ollama")
	return err
}

func (o *Ollama) version(ctx context.Context) error {
	return o.use(func(c *http.Client) error { return httpOK(ctx, c, o.Endpoint()+"/api/version") })
}

// Endpoint returns the server's URL.
func (o *Ollama) Endpoint() string { return "http://" + o.Addr() }

// CreateModel adds the tiny model under a name, such as "llama3". It answers
// every prompt with "I am well". Adding it again is no error.
func (o *Ollama) CreateModel(ctx context.Context, name string) error {
	gguf := tinymodel.GGUF("I", "am", "well")
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(gguf))
	err := o.use(func(c *http.Client) error {
		if _, err := send(ctx, c, http.MethodPost, o.Endpoint()+"/api/blobs/"+digest, gguf); err != nil {
			return err
		}
		create := map[string]any{"model": name, "files": map[string]string{"tiny.gguf": digest}, "stream": false}
		return sendJSON(ctx, c, http.MethodPost, o.Endpoint()+"/api/create", create, nil)
	})
	if err != nil {
		return fmt.Errorf("create model %s: %w", name, err)
	}
	return nil
}

// DeleteModel removes a model.
func (o *Ollama) DeleteModel(ctx context.Context, name string) error {
	err := o.use(func(c *http.Client) error {
		return sendJSON(ctx, c, http.MethodDelete, o.Endpoint()+"/api/delete", map[string]string{"model": name}, nil)
	})
	if err != nil {
		return fmt.Errorf("delete model %s: %w", name, err)
	}
	return nil
}

// Generate asks a model, and so loads it: from then on Ollama keeps it in memory
// for five minutes.
func (o *Ollama) Generate(ctx context.Context, model, prompt string) (answer string, err error) {
	ask := map[string]any{"model": model, "prompt": prompt, "stream": false}
	var reply struct {
		Response string `json:"response"`
	}
	err = o.use(func(c *http.Client) error {
		return sendJSON(ctx, c, http.MethodPost, o.Endpoint()+"/api/generate", ask, &reply)
	})
	if err != nil {
		return "", fmt.Errorf("ask model %s: %w", model, err)
	}
	return reply.Response, nil
}

func (o *Ollama) use(f func(*http.Client) error) error {
	c := &http.Client{Transport: &http.Transport{}} // no proxy from the environment
	defer c.CloseIdleConnections()
	return f(c)
}

// Env returns the variables by which the product reaches this server.
func (o *Ollama) Env() []Var {
	return []Var{{"OLLAMA_HOST", o.Host()}, {"OLLAMA_PORT", strconv.Itoa(o.Port())}}
}
