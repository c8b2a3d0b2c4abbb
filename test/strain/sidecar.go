package strain

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// services are the names of the four servers of [servers.NewSet], in its order.
var services = []string{"database", "redis", "minio", "ollama"}

// Options are common to all.
type Options struct {
	// Program is the path of the built program. Required.
	Program string
	// Duration is how long the strain lasts.
	Duration time.Duration
	// Short is for runs below some minutes: the bounds of what grows are four times as wide.
	Short bool
	// Progress gets a line now and then. Required.
	Progress func(line string)
}

// environment returns the variables of all servers, those that every sidecar here has, and more.
func environment(set []servers.Server, more ...servers.Var) (vars []servers.Var) {
	vars = []servers.Var{
		{Name: "HEALTH_ADDR", Value: "127.0.0.1:0"},
		{Name: "METRICS_ADDR", Value: "127.0.0.1:0"},
		{Name: "DATABASE_SCHEMA_CHECK", Value: "off"}, // the database is empty
	}
	for _, s := range set {
		vars = append(vars, s.Env()...)
	}
	return append(vars, more...)
}

// sidecar is the program, running.
type sidecar struct {
	*program.Process
	scheme string
	client *http.Client // of the harness, which keeps one connection
}

// serve starts it with these variables and nothing else. Before are commands that become the program.
func serve(o Options, vars []servers.Var, before ...string) (*sidecar, error) {
	command := append(slices.Clip(before), o.Program, "serve")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LOG_FORMAT=json"}
	s := &sidecar{scheme: "http", client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, TLSClientConfig: anyCertificate(),
	}}}
	for _, v := range vars { // later ones win
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
		if v.Name == "HEALTH_TLS_CERT_FILE" {
			s.scheme = "https"
		}
	}
	var err error
	s.Process, err = program.Serve(cmd)
	return s, err
}

// anyCertificate is how the kubelet asks by HTTPS: it verifies nothing.
func anyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

// url returns that of a path of the health server.
func (s *sidecar) url(path string) string { return s.scheme + "://" + s.Health + path }

// get returns the code of an answer whose body is read.
func get(ctx context.Context, client *http.Client, url string, body io.Writer) (code int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(body, response.Body)
	return response.StatusCode, err
}

// metrics are the samples of a scrape, by name and labels as they are written.
type metrics map[string]float64

func (s *sidecar) scrape(ctx context.Context) (metrics, error) {
	var body strings.Builder
	if _, err := get(ctx, s.client, "http://"+s.Metrics+"/metrics", &body); err != nil {
		return nil, err
	}
	all := metrics{}
	for line := range strings.Lines(body.String()) {
		name, text, ok := cutLast(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			all[name] = value
		}
	}
	return all, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sum adds up the samples of that name whose labels have all these parts.
func (m metrics) sum(name string, parts ...string) (total float64) {
	for key, value := range m {
		if has, labels, _ := strings.Cut(key, "{"); has == name &&
			!slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(labels, p) }) {
			total += value
		}
	}
	return total
}

// healthy reports whether all of its services are.
func (m metrics) healthy() bool {
	return m.sum("reims_health_status", `status="healthy"`) == float64(len(services))
}

// awaitHealthy waits until all services are, as the metrics say.
func (s *sidecar) awaitHealthy(ctx context.Context) error {
	if !poll.Poll(ctx, recovery, func() bool {
		m, err := s.scrape(ctx)
		return err == nil && m.healthy()
	}) {
		return fmt.Errorf("not all services are healthy after %s; the log of the sidecar ends:\n%s", recovery, tail(s.Log()))
	}
	return nil
}

// tail returns the end of a text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// Probes are what a prober of the kubelet's kind saw.
type Probes struct {
	Took     []time.Duration // of those that were answered with a code below 400
	Failures []string        // of the others, when and why
	// Restarts counts how often so many in a row failed that the kubelet would restart the container, or take the
	// Pod out of the Service.
	Restarts int
}

// timing is that of a probe of the kubelet.
type timing struct {
	period, timeout time.Duration
	threshold       int
}

// ask probes with a new connection each time until ctx is done.
func (p *Probes) ask(ctx context.Context, url string, t timing) {
	client := &http.Client{Timeout: t.timeout, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: anyCertificate()}}
	ticker := time.NewTicker(t.period)
	defer ticker.Stop()
	for failed := 0; ; {
		began := time.Now()
		code, err := get(ctx, client, url, io.Discard)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && code < http.StatusBadRequest:
			p.Took = append(p.Took, time.Since(began))
			failed = 0
		default:
			p.Failures = append(p.Failures, fmt.Sprintf("%s: code %d after %s, %v", began.UTC().Format(time.TimeOnly), code, time.Since(began).Round(time.Millisecond), err))
			if failed++; failed == t.threshold {
				p.Restarts, failed = p.Restarts+1, 0
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// background runs functions until it is stopped.
type background struct {
	stop context.CancelFunc
	all  sync.WaitGroup
}

// inBackground starts the functions.
func inBackground(ctx context.Context, functions ...func(context.Context)) *background {
	ctx, stop := context.WithCancel(ctx)
	b := &background{stop: stop}
	for _, f := range functions {
		b.all.Go(func() { f(ctx) })
	}
	return b
}

// end stops them and waits for their ends.
func (b *background) end() {
	b.stop()
	b.all.Wait()
}

// quantile returns that of sorted durations, such as 0.99, as text.
func quantile(sorted []time.Duration, q float64) string {
	if len(sorted) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", 1e3*sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Seconds())
}
