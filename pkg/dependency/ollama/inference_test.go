package ollama_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/reims/reims-health/test/servers"
)

// inferring is an Ollama with the tiny model, a probe that asks it for a token,
// and what that asked.
type inferring struct {
	t      *testing.T
	server *servers.Ollama
	probe  *ollama.Checker

	mu    sync.Mutex
	asked []map[string]any // the bodies of POST /api/generate
}

func runInferring(t *testing.T, timeout time.Duration) *inferring {
	t.Helper()
	i := &inferring{t: t, server: servers.RunOllama(t, servers.OllamaOptions{})}
	target, err := url.Parse(i.server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	addr := checking.ServeHTTP(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		if r.In.URL.Path == "/api/generate" {
			i.record(r.Out)
		}
	}})
	i.probe = openOllama(t, ollama.Options{
		BaseURL: "http://" + addr, InferenceModel: servers.Model, Timeout: timeout,
	})
	checking.Healthy(t, i.probe) // sees that no model is loaded
	return i
}

func (i *inferring) record(r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the probe gave up
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	var body map[string]any
	if err := json.Unmarshal(b, &body); err != nil {
		i.t.Error(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, body)
}

func (i *inferring) tries() []map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// use asks the model as an application would.
func (i *inferring) use(request string) {
	i.t.Helper()
	resp, err := http.Post(i.server.Endpoint()+"/api/generate", "application/json", strings.NewReader(request))
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		i.t.Fatalf("use model: %s %s %v", resp.Status, b, err)
	}
}

// expires returns when Ollama says that the model leaves, zero if it is not loaded.
func (i *inferring) expires() time.Time {
	i.t.Helper()
	resp, err := http.Get(i.server.Endpoint() + "/api/ps")
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var list struct {
		Models []struct {
			ExpiresAt time.Time `json:"expires_at"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		i.t.Fatal(err)
	}
	if len(list.Models) == 0 {
		return time.Time{}
	}
	return list.Models[0].ExpiresAt
}

// settle lets the probe look at the model until Ollama has noted the last use.
func (i *inferring) settle() {
	i.t.Helper()
	last := i.expires()
	poll.Until(i.t, "the model at rest", func() bool {
		before := last
		last = i.expires()
		return last.Equal(before)
	})
	checking.Healthy(i.t, i.probe)
}

// runner returns the process that holds the model.
func (i *inferring) runner() int {
	i.t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		i.t.Fatal(err)
	}
	for _, stat := range stats {
		b, _ := os.ReadFile(stat) // it may have ended
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(i.server.Instance().PID) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			if err != nil {
				i.t.Fatal(err)
			}
			return pid
		}
	}
	i.t.Fatal("Ollama has no runner")
	return 0
}

func (i *inferring) signal(pid int, s syscall.Signal) {
	i.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		i.t.Fatal(err)
	}
}

func TestOllamaInference(t *testing.T) {
	t.Parallel()
	i := runInferring(t, 10*time.Second)
	checking.Healthy(t, i.probe)
	if got := i.tries(); got != nil {
		t.Fatalf("a model that is not loaded was asked: %v", got)
	}

	i.use(`{"model":"tiny","prompt":"hi","stream":false}`)
	i.settle()
	before, runner := i.expires(), i.runner()
	seen := checking.Healthy(t, i.probe)
	tries := i.tries()
	if len(tries) != 1 {
		t.Fatalf("a loaded model was asked %d times, want once", len(tries))
	}
	if got := tries[0]["options"].(map[string]any)["num_predict"]; got != 1.0 || tries[0]["stream"] != false {
		t.Errorf("asked with %v", tries[0])
	}
	if seen.Latency <= 0 {
		t.Errorf("latency = %v", seen.Latency)
	}
	i.settle()
	if got := i.runner(); got != runner {
		t.Error("the model was loaded anew")
	}

	for range 5 {
		checking.Healthy(t, i.probe)
	}
	if got := len(i.tries()); got != 1 {
		t.Errorf("asked %d times within a minute, want once", got)
	}
	poll.Until(t, "some of the stay over", func() bool { return time.Until(before) < 295*time.Second })
	i.probe.InferenceDue()
	checking.Healthy(t, i.probe)
	i.settle()
	if got := len(i.tries()); got != 2 {
		t.Errorf("asked %d times in more than a minute, want twice", got)
	}
	if after := i.expires(); after.Sub(before).Abs() > 3*time.Second {
		t.Errorf("the model leaves at %v after it was asked again, and before at %v", after, before)
	}
}

// Asking must not make Ollama load the model with other settings.
func TestOllamaInferenceKeepsSettings(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"a short context":    `{"model":"tiny","prompt":"hi","stream":false,"options":{"num_ctx":32}}`,
		"cut to the model's": `{"model":"tiny","prompt":"hi","stream":false}`,
		"for ever":           `{"model":"tiny","prompt":"hi","stream":false,"keep_alive":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := runInferring(t, 10*time.Second)
			i.use(request)
			i.settle()
			runner, before := i.runner(), i.expires()
			checking.Healthy(t, i.probe)
			i.settle()
			if len(i.tries()) != 1 {
				t.Fatalf("asked %d times, want once", len(i.tries()))
			}
			if got := i.runner(); got != runner {
				t.Errorf("the model was loaded anew; asked with %v", i.tries())
			}
			if after := i.expires(); after.Sub(before).Abs() > 10*time.Second {
				t.Errorf("the model leaves at %v after it was asked, and before at %v", after, before)
			}
		})
	}
}

func TestOllamaInferenceFails(t *testing.T) {
	t.Parallel()
	const timeout = 5 * time.Second // a tenth of it is left for the report
	i := runInferring(t, timeout)
	i.use(`{"model":"tiny","prompt":"hi","stream":false}`)
	i.settle()
	runner := i.runner()
	i.signal(runner, syscall.SIGSTOP)

	start := time.Now()
	seen, err := i.probe.Check(t.Context())
	if took := time.Since(start); took > timeout {
		t.Errorf("Check took %v, and its timeout is %v", took, timeout)
	}
	if f := checking.WantFault(t, err, ollama.ReasonInference); !strings.Contains(f.Message, "OLLAMA_INFERENCE_MODEL") {
		t.Errorf("message %q", f.Message)
	}
	if seen.Latency <= 0 || seen.Latency > timeout/2 {
		t.Errorf("latency = %v: that of /api/tags is wanted", seen.Latency)
	}
	tries := len(i.tries())
	checking.Fails(t, i.probe, ollama.ReasonInference) // remembered
	if got := len(i.tries()); got != tries {
		t.Error("asked again within a minute")
	}

	i.signal(runner, syscall.SIGCONT)
	poll.Until(t, "a try that succeeds", func() bool {
		i.probe.InferenceDue()
		_, err := i.probe.Check(t.Context())
		return err == nil
	})
}

func TestOllamaInferenceFailureEndsWithTheModel(t *testing.T) {
	t.Parallel()
	i := runInferring(t, time.Second)
	i.use(`{"model":"tiny","prompt":"hi","stream":false}`)
	i.settle()
	runner := i.runner()
	i.signal(runner, syscall.SIGSTOP)
	checking.Fails(t, i.probe, ollama.ReasonInference)
	i.signal(runner, syscall.SIGCONT)
	i.use(`{"model":"tiny","keep_alive":0}`)
	poll.Until(t, "the model gone", func() bool { return i.expires().IsZero() })
	checking.Healthy(t, i.probe)
}

func TestOllamaInferenceWithoutPS(t *testing.T) {
	t.Parallel()
	for name, ps := range map[string]http.HandlerFunc{
		"garbage":       checking.Reply(200, "canary"),
		"never answers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle("/api/tags", checking.Reply(200, `{"models":[]}`))
			mux.Handle("/api/ps", ps)
			checking.Fails(t, openOllama(t, ollama.Options{
				BaseURL: "http://" + checking.ServeHTTP(t, mux), InferenceModel: "tiny", Timeout: time.Second,
			}), ollama.ReasonInference)
		})
	}
}
