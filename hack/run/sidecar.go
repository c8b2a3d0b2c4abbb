package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// sidecar is the program, running.
type sidecar struct {
	cmd     *exec.Cmd
	log     *os.File
	base    string // URL of the status page
	metrics string // URL
	client  http.Client
	say     func(line string)
}

// launch starts the program with the variables of the servers. Its log goes to a
// file.
func launch(progress *install.Progress, program string, set []servers.Server) (*sidecar, error) {
	file, err := os.Create(filepath.Join(live, "sidecar.log"))
	if err != nil {
		return nil, err
	}
	health := onLoopback(cmp.Or(os.Getenv("HEALTH_ADDR"), ":8008"))
	metrics := onLoopback(cmp.Or(os.Getenv("METRICS_ADDR"), ":9008"))
	s := &sidecar{
		cmd: exec.Command(program, "serve"), log: file,
		base: "http://" + health, metrics: "http://" + metrics + "/metrics",
		client: http.Client{Timeout: 2 * time.Second}, say: progress.Say,
	}
	s.cmd.Env = append(environ(set), "HEALTH_ADDR="+health, "METRICS_ADDR="+metrics)
	s.cmd.Stdout, s.cmd.Stderr = file, file
	// A group of its own, so that Ctrl-C reaches it through us, in order.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return s, nil
}

// onLoopback fills in the host of an address that has none, which would be every
// interface. What is no address is for the program to complain about.
func onLoopback(addr string) string {
	if host, port, err := net.SplitHostPort(addr); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// variables are those by which the servers are reached.
func variables(set []servers.Server) (vars []servers.Var) {
	for _, server := range set {
		vars = append(vars, server.Env()...)
	}
	return vars
}

// environ is ours and the variables of the servers.
func environ(set []servers.Server) []string {
	env := os.Environ()
	for _, v := range variables(set) {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// migrate brings the database, if it is one of the servers, to the schema that the
// program needs, as the Job does in a cluster.
func migrate(ctx context.Context, progress *install.Progress, program string, set []servers.Server) error {
	if !slices.ContainsFunc(set, func(s servers.Server) bool { return s.Name() == "postgres" }) {
		return nil
	}
	progress.Say("$ reims-health migrate up")
	cmd := exec.CommandContext(ctx, program, "migrate", "up")
	cmd.Env = environ(set)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// wait stops the program when ctx is done. That it exits before is an error.
func (s *sidecar) wait(ctx context.Context) error {
	defer s.log.Close()
	exited := make(chan error, 1)
	go func() { exited <- s.cmd.Wait() }() // waited for below
	select {
	case err := <-exited:
		text, _ := os.ReadFile(s.log.Name())
		return fmt.Errorf("the sidecar exited: %w\n%s", err, text)
	case <-ctx.Done():
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		return <-exited
	}
}

// report prints the introduction with the first answer, and a line whenever the verdict
// changes.
func (s *sidecar) report(ctx context.Context, c *control) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		verdict := s.ask(ctx, c)
		switch {
		case verdict == last, strings.Contains(verdict, "unknown"):
			continue
		case last == "":
			s.say(introduction(s, c.set))
		}
		last = verdict
		s.say(time.Now().Format(time.TimeOnly) + "  " + verdict)
	}
}

// introduction says where to look, and what to break. Its commands are indented by two
// spaces, and what they show by six.
func introduction(s *sidecar, set []servers.Server) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe status page:  %s/\n", s.base)
	fmt.Fprint(&b, "\nBreak something, in another terminal in this folder, and watch the page:\n\n")
	for _, e := range experiments {
		if slices.ContainsFunc(set, func(server servers.Server) bool { return server.Name() == e.server }) {
			fmt.Fprintf(&b, "  bin/run %s %s\n      %s\n", e.verb, e.server, e.seen)
		}
	}
	flag := ""
	if s.base != "http://127.0.0.1:8008" { // the default of check
		flag = " --url " + s.base
	}
	fmt.Fprintf(&b, "\nAsk from a terminal:\n\n  bin/reims-health check%s\n  curl -s '%s/health?verbose'\n", flag, s.base)
	fmt.Fprintf(&b, "\nMetrics:                  %s\nThe sidecar's log:        %s\nThe servers' variables:   %s, with passwords, for --env-file\n",
		s.metrics, s.log.Name(), filepath.Join(live, "servers.env"))
	if slices.ContainsFunc(set, func(server servers.Server) bool { return !install.Quick(server.Name()) }) {
		fmt.Fprint(&b, "MinIO and Ollama start last: the first time they are built, which takes minutes.\n")
	}
	fmt.Fprint(&b, "Ctrl-C stops everything.\n")
	return b.String()
}

// ask returns the verdict of /health in a line, or nothing while the sidecar does not
// answer.
func (s *sidecar) ask(ctx context.Context, c *control) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/health", nil)
	if err != nil {
		return ""
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "" // not listening yet
	}
	defer response.Body.Close()
	var answer struct {
		Status   string
		Services map[string]string
		Details  map[string]struct{ Reason string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return ""
	}
	verdicts := []string{answer.Status}
	for _, server := range c.set {
		service := cmp.Or(map[string]string{"postgres": "database"}[server.Name()], server.Name())
		switch status := answer.Services[service]; {
		case status == "" || status == "healthy":
		case !c.isStarted(server.Name()):
			verdicts = append(verdicts, service+": not started yet")
		default:
			verdicts = append(verdicts, fmt.Sprintf("%s: %s %s", service, status, answer.Details[service].Reason))
		}
	}
	return strings.Join(verdicts, "  ")
}
