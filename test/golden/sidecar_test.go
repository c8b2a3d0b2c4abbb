package golden_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
)

const token = "golden-token"

// settled are the variables with which each service is checked once or, where it is not
// healthy, twice; the next check comes in an hour.
var settled = func() []string {
	env := []string{"POD_NAME=golden-pod", "HEALTH_TOKEN=" + token, "LOG_FORMAT=json"}
	for _, service := range []string{"DATABASE", "REDIS", "MINIO", "OLLAMA"} {
		env = append(env, service+"_PROBE_INTERVAL=1h", service+"_PROBE_TIMEOUT=30m")
	}
	return env
}()

// nowhere leads to a port that nothing listens at.
func nowhere() []string { return at("127.0.0.1", "1") }

// secrets are of every kind that there is, all with the word canary in them.
func secrets() []string {
	return []string{
		"DATABASE_PASSWORD=canary-of-the-database", "REDIS_PASSWORD=canary-of-redis", "MINIO_ACCESS_KEY=canary-access",
		"MINIO_SECRET_KEY=canary-of-minio", "OLLAMA_HOST=http://canary:canary-of-ollama@127.0.0.1:1/proxied",
	}
}

func at(host, port string) []string {
	return []string{
		"DATABASE_HOST=" + host, "DATABASE_PORT=" + port, "REDIS_HOST=" + host, "REDIS_PORT=" + port,
		"MINIO_ENDPOINT=" + host + ":" + port, "OLLAMA_HOST=" + host, "OLLAMA_PORT=" + port,
	}
}

// scenes are states of the four services. Each returns the variables that lead to it.
var scenes = map[string]func(*testing.T) []string{
	"healthy": func(t *testing.T) []string {
		t.Helper()
		return append(runServers(t), "MINIO_BUCKETS=golden-reports", "OLLAMA_REQUIRED_MODELS=golden")
	},
	"degraded": func(t *testing.T) []string {
		t.Helper()
		return append(runServers(t), "DATABASE_NAME="+newDatabase(t, "golden_empty"), "REDIS_PROBE_DEGRADED_LATENCY=1ns",
			"MINIO_BUCKETS=golden-reports,golden-absent", "OLLAMA_REQUIRED_MODELS=golden,golden-absent")
	},
	"unhealthy": func(*testing.T) []string { return append(nowhere(), secrets()...) },
	"unknown":   silent,
}

// silent leads to a port that takes connections and never answers.
func silent(t *testing.T) []string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	return at(host, port)
}

// TestSidecar holds all that a sidecar shows: the answers to every path, for each
// reader; the metrics; the page; the log.
func TestSidecar(t *testing.T) {
	t.Parallel()
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(scene(t), settled...)
			sidecars := map[string]*sidecar{}
			for _, details := range []string{"full", "safe", "off"} {
				sidecars[details] = start(t, append(env, "HEALTH_DETAILS="+details)...)
			}
			for _, s := range sidecars {
				s.settle(t, name)
			}
			full := sidecars["full"]
			compare(t, name+".html", page(full.get(t, "/", "").body))
			compare(t, name+".metrics", mask(full.get(t, "/metrics", "").body, inMetrics))
			compare(t, name+".answers", answers(t, sidecars))
			compare(t, name+".log", full.log(t, name))
		})
	}
}

// page is the page's HTML with an element per line. The latest changes are sorted: the
// first results of four services come in any order.
func page(html string) string {
	html = mask(strings.ReplaceAll(html, "><", ">\n<"), inPages)
	return changes.ReplaceAllStringFunc(html, func(list string) string {
		items := strings.SplitAfter(strings.TrimSuffix(strings.TrimPrefix(list, listBegin), listEnd), "</li>\n")
		slices.Sort(items)
		return listBegin + strings.Join(items, "") + listEnd
	})
}

const listBegin, listEnd = "<ol role=\"list\">\n", "</ol>"

var changes = regexp.MustCompile(`(?s)` + listBegin + `.*?` + listEnd)

// settle waits until each service was checked as often as it is within the next hour:
// a first result that is not healthy is looked at again at once.
func (s *sidecar) settle(t *testing.T, scene string) {
	t.Helper()
	checks := map[string]string{"unknown": "0", "healthy": "1", "degraded": "2", "unhealthy": "2"}[scene]
	poll.Seen(t, patience, "/metrics", func() (string, bool) {
		settled, body := map[string]bool{}, s.get(t, "/metrics", "").body
		for _, found := range checked.FindAllStringSubmatch(body, -1) {
			if found[2] == checks {
				settled[found[1]] = true
			}
		}
		return body, len(settled) == 4
	})
}

var checked = regexp.MustCompile(`(?m)^reims_health_probes_total\{.*service="(\w+)"\} (\d+)$`)

// paths are all that there is to read as JSON or text.
var paths = []string{
	"/health", "/health?verbose", "/health/database", "/health/database?verbose", "/health/redis", "/health/redis?verbose",
	"/health/minio", "/health/minio?verbose", "/health/ollama", "/health/ollama?verbose", "/health/ready", "/health/ready?verbose",
	"/health/live", "/health/live?verbose", "/health/history", "/health/history?service=redis", "/health/history?since=x", "/health/nosuch",
}

// answers lists each different answer once, headed by those who are given it.
func answers(t *testing.T, sidecars map[string]*sidecar) string {
	t.Helper()
	var b strings.Builder
	for _, path := range paths {
		var order []string
		readers := map[string][]string{}
		for _, reader := range []string{"full", "safe", "safe+token", "off"} {
			details, bearer, _ := strings.Cut(reader, "+")
			a := sidecars[details].get(t, path, strings.ReplaceAll(bearer, "token", token))
			text := mask(fmt.Sprintf("%d %s\n%s", a.code, a.contentType, readable(t, a)), inAnswers)
			if readers[text] == nil {
				order = append(order, text)
			}
			readers[text] = append(readers[text], reader)
		}
		for _, text := range order {
			fmt.Fprintf(&b, "=== GET %s [%s] %s\n", path, strings.Join(readers[text], " "), text)
		}
	}
	return b.String()
}

// readable indents JSON, which keeps the order of its keys.
func readable(t *testing.T, a answer) string {
	t.Helper()
	if a.contentType != "application/json" {
		return a.body
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(a.body), "", "  "); err != nil {
		t.Errorf("not JSON: %v: %s", err, a.body)
	}
	return indented.String()
}

// sidecar is a running `reims-health serve`.
type sidecar struct{ *program.Process }

// start runs a sidecar for the test. Later variables win.
func start(t *testing.T, env ...string) *sidecar {
	t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append([]string{"TZ=UTC", "HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0"}, env...)
	p, err := program.Serve(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill() // an orderly end takes a second
		if t.Failed() {
			t.Logf("the log of the sidecar:\n%s", p.Log())
		}
	})
	return &sidecar{p}
}

type answer struct {
	code              int
	contentType, body string
}

func (s *sidecar) get(t *testing.T, path, bearer string) answer {
	t.Helper()
	url := "http://" + s.Health + path
	if path == "/metrics" {
		url = "http://" + s.Metrics + path
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(body)}
}

// log returns what the sidecar has logged, sorted: four services are checked at the same
// time.
func (s *sidecar) log(t *testing.T, scene string) string {
	t.Helper()
	var text string
	poll.Seen(t, patience, "the log", func() (string, bool) {
		text = s.Log()
		return text, strings.Contains(text, "first verdicts") == (scene != "unknown") // the last line
	})
	lines := strings.SplitAfter(mask(text, inLogs), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
