package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
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
	url     string
	metrics string
	client  http.Client
	say     func(line string)
}

// launch starts the program with the variables of the servers. Its log goes to a
// file.
func launch(progress *install.Progress, program, log string, set []servers.Server) (*sidecar, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	health := onLoopback(cmp.Or(os.Getenv("HEALTH_ADDR"), ":8008"))
	metrics := onLoopback(cmp.Or(os.Getenv("METRICS_ADDR"), ":9008"))
	s := &sidecar{
		cmd: exec.Command(program, "serve"), log: file,
		url: "http://" + health + "/health", metrics: "http://" + metrics + "/metrics",
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

// environ is ours and the variables of the servers.
func environ(set []servers.Server) []string {
	env := os.Environ()
	for _, server := range set {
		for _, v := range server.Env() {
			env = append(env, v.Name+"="+v.Value)
		}
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

// report prints the first answer, and then a line whenever the verdict changes.
func (s *sidecar) report(ctx context.Context, more bool) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		body, verdict := s.ask(ctx)
		switch {
		case verdict == last, strings.Contains(verdict, "unknown"):
			continue
		case last == "":
			s.introduce(body, more)
		}
		last = verdict
		s.say(time.Now().Format(time.TimeOnly) + "  " + verdict)
	}
}

func (s *sidecar) introduce(body string, more bool) {
	s.say("\nThe sidecar is up:")
	s.say("  " + s.url)
	s.say("  " + s.url + "?verbose")
	s.say("  " + s.metrics)
	s.say("  log: " + s.log.Name())
	s.say("\n$ curl -s " + s.url + "\n" + body)
	if more {
		s.say("MinIO and Ollama join once they are built. Ctrl-C stops everything.\n")
	} else {
		s.say("Ctrl-C stops everything.\n")
	}
}

// ask returns the body of /health, indented, and the verdict in a line.
func (s *sidecar) ask(ctx context.Context) (body, verdict string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return "", ""
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "", "" // not listening yet
	}
	defer response.Body.Close()
	raw, _ := io.ReadAll(response.Body)
	var answer struct {
		Status   string
		Services map[string]string
		Details  map[string]struct{ Reason string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", ""
	}
	verdicts := []string{answer.Status}
	for _, service := range []string{"database", "redis", "minio", "ollama"} {
		if status := answer.Services[service]; status != "" && status != "healthy" {
			verdicts = append(verdicts, fmt.Sprintf("%s: %s %s", service, status, answer.Details[service].Reason))
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return "", ""
	}
	return indented.String(), strings.Join(verdicts, "  ")
}
