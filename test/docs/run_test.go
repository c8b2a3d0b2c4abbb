package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

var update = flag.Bool("update", false, "write the output that README.md shows anew")

// A first make run compiles, which takes minutes, and starts four servers.
const firstAnswer = 15 * time.Minute

// TestMakeRun follows the pages as a new user does: make run in a copy of the sources, what
// it prints, and then every command of a page that needs nothing but what make run started,
// as printed.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	t.Run("introduction", l.testIntroduction)
	t.Run("break", l.testBreak)
	t.Run("pages", l.testPages)
	t.Run("serve", l.testServe)
}

// live is a make run.
type live struct {
	dir    string // the copy of the sources
	health string // host:port
	env    []string
	out    *program.Output // what make run prints
	client http.Client
}

// startLive starts it, and waits until all four servers are well.
func startLive(t *testing.T) *live {
	t.Helper()
	l := &live{dir: servers.TempDir(t), health: servers.FreeAddr(t), out: new(program.Output), client: http.Client{Timeout: 10 * time.Second}}
	metrics := servers.FreeAddr(t)
	copySources(t, l.dir)
	// Where a page says localhost:8008, curl asks this one.
	var curlrc []byte
	for page, here := range map[string]string{"8008": l.health, "9008": metrics} {
		for _, host := range []string{"localhost", "127.0.0.1"} {
			curlrc = fmt.Appendf(curlrc, "connect-to = \"%s:%s:%s\"\n", host, page, here)
		}
	}
	if err := os.WriteFile(filepath.Join(l.dir, ".curlrc"), curlrc, 0o600); err != nil {
		t.Fatal(err)
	}
	l.env = append(os.Environ(),
		"HEALTH_ADDR="+l.health, "METRICS_ADDR="+metrics, "HEALTH_SERVICES=", "CURL_HOME="+l.dir,
		"PATH="+filepath.Join(l.dir, "bin")+":"+os.Getenv("PATH"),
		"MAKEFLAGS=QUICK=", // what the other tests have compiled is good for it as well
	)
	cmd := exec.Command("make", "run")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, l.env, l.out, l.out
	p, err := program.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Stop() // make says that it was interrupted
		if !strings.Contains(l.out.String(), "\nStopping everything.\n") {
			t.Errorf("make run does not say that it stops:\n%s", l.out)
		}
		if _, err := net.Dial("tcp", l.health); err == nil {
			t.Error("the sidecar outlives make run")
		}
	})
	poll.Seen(t, firstAnswer, "make run says that all is healthy", func() (string, bool) {
		select {
		case <-p.Exited():
			t.Fatalf("make run ended:\n%s", l.out)
		default:
		}
		text := l.out.String()
		return text, regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  healthy$`).MatchString(text)
	})
	return l
}

// copySources copies what a fresh clone has.
func copySources(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".run", "bin", "dist", "node_modules"}, entry.Name()) {
			return filepath.SkipDir
		}
		switch {
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !entry.Type().IsRegular(): // a worktree's .git
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// printed returns the commands that make run printed, each with what it says will be seen.
func (l *live) printed() (commands []shown) {
	for line := range strings.Lines(l.out.String()) {
		if seen, ok := strings.CutPrefix(line, "      "); ok && len(commands) > 0 {
			commands[len(commands)-1].output = strings.TrimSpace(seen)
		} else if c, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, shown{command: strings.TrimSpace(c)})
		}
	}
	return commands
}

// The first thing that it says of the sidecar is where the page is, and there is one.
func (l *live) testIntroduction(t *testing.T) {
	found := regexp.MustCompile(`(?m)\n\nThe status page:  (http://\S+/)\n`).FindStringSubmatchIndex(l.out.String())
	if found == nil {
		t.Fatalf("the page is not said:\n%s", l.out)
	}
	before, url := l.out.String()[:found[0]], l.out.String()[found[2]:found[3]]
	if strings.Contains(before, "http://") {
		t.Errorf("another URL comes before the page's:\n%s", before)
	}
	response, err := l.client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/html") {
		t.Errorf("GET %s: %s, %s", url, response.Status, kind)
	}
}

// Each command that make run prints works as printed, and shows what is said of it.
func (l *live) testBreak(t *testing.T) {
	commands := l.printed()
	if len(commands) != 6 {
		t.Fatalf("%d commands: %v", len(commands), commands)
	}
	for _, c := range commands {
		_, out := l.shell(t, c.command)
		if !strings.HasPrefix(c.command, "bin/run ") {
			if !strings.Contains(out, "ollama") {
				t.Errorf("%s: %s", c.command, out)
			}
			continue
		}
		poll.Seen(t, time.Minute, c.command+": "+c.output, func() (string, bool) { return l.seen(t, c.output) })
	}
}

// seen tells whether /health is as a sentence of make run says.
func (l *live) seen(t *testing.T, sentence string) (state string, is bool) {
	t.Helper()
	var answer struct {
		Status   string
		Services map[string]string
		Details  map[string]struct{ Reason string }
	}
	code := l.get(t, "/health", &answer)
	state = fmt.Sprintf("%d %+v", code, answer)
	if strings.HasPrefix(sentence, "All of it is healthy") {
		return state, code == http.StatusOK && answer.Status == "healthy"
	}
	m := regexp.MustCompile(`(redis|database) is unhealthy \((\w+)\) and the (whole degraded|Pod not ready): /health (?:still )?answers (\d+)\.`).FindStringSubmatch(sentence)
	if m == nil {
		t.Fatalf("make run says: %q", sentence)
	}
	service, reason, whole, status := m[1], m[2], m[3], m[4]
	ready := l.get(t, "/health/ready", &struct{}{})
	is = answer.Services[service] == "unhealthy" && answer.Details[service].Reason == reason && strconv.Itoa(code) == status
	if whole == "whole degraded" {
		return state, is && answer.Status == "degraded" && ready == http.StatusOK
	}
	return fmt.Sprintf("%s, /health/ready %d", state, ready), is && ready == http.StatusServiceUnavailable
}

func (l *live) get(t *testing.T, path string, into any) (code int) {
	t.Helper()
	response, err := l.client.Get("http://" + l.health + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return response.StatusCode
}

// shell runs a command as a reader does, in the root of the repository.
func (l *live) shell(t *testing.T, command string, env ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
	cmd.Dir, cmd.Env = l.dir, append(slices.Clone(l.env), env...)
	code, stdout, stderr, err := program.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return code, stdout + stderr
}

// Every command of a page that needs no more than make run does what the page says: it
// succeeds, or where the page shows its output, that is its output.
func (l *live) testPages(t *testing.T) {
	env := l.forPages(t)
	ran := 0
	for _, b := range allBlocks(t) {
		for _, c := range b.commands {
			r := ruleOf(c.command)
			if r == nil || r.how != onMakeRun || c.command == "make run" {
				continue
			}
			if strings.Contains(c.command, " serve ") { // see testServe
				continue
			}
			ran++
			if b.page == "README.md" && b.lang == "console" {
				l.shows(t, b, c, env)
				continue
			}
			// A console may show a command that finds something wrong (1), but none that is wrong (2).
			code, out := l.shell(t, c.command, env...)
			if code > 1 || code == 1 && !strings.Contains(b.text, "$ ") {
				t.Errorf("%s: %s: exit code %d\n%s", b.page, c.command, code, out)
			}
		}
		if strings.Contains(b.text, "bin/run ") {
			poll.Seen(t, time.Minute, b.page+": what was broken is undone", func() (string, bool) { return l.seen(t, "All of it is healthy again.") })
		}
	}
	if ran < 15 {
		t.Errorf("%d commands were run; there were more", ran)
	}
	applied(t, filepath.Join(l.dir, "applied"))
}

// forPages makes what commands of pages need: a file .env, and a kubectl that keeps what it is
// given. It returns the servers' variables, which the Pod has.
func (l *live) forPages(t *testing.T) (env []string) {
	t.Helper()
	kubectl := "#!/bin/sh\nexec cat > '" + filepath.Join(l.dir, "applied") + "'\n"
	if err := os.WriteFile(filepath.Join(l.dir, "bin", "kubectl"), []byte(kubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out := l.shell(t, "cp .run/live/servers.env .env && . ./.env && env")
	if code != 0 {
		t.Fatal(out)
	}
	for line := range strings.Lines(out) {
		if regexp.MustCompile(`^(DATABASE|REDIS|MINIO|OLLAMA)_`).MatchString(line) {
			env = append(env, strings.TrimSpace(line))
		}
	}
	return env
}

// applied is what docs/monitoring.md hands to kubectl: objects that it can read.
func applied(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder, count := yaml.NewDecoder(bytes.NewReader(text)), 0
	for {
		var object struct {
			Kind string
			Spec struct{ Groups []any }
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if object.Kind == "" {
			continue // after the last ---
		}
		count++
		if object.Kind != "PrometheusRule" || len(object.Spec.Groups) == 0 {
			t.Errorf("object %d is %+v", count, object)
		}
	}
	if count < 2 {
		t.Errorf("%d objects", count)
	}
}

// shows runs a command of a console in README.md. A server that was stopped is unhealthy only
// some seconds later, so a command that only looks is repeated until it shows what the page
// shows.
func (l *live) shows(t *testing.T, b block, c shown, env []string) {
	t.Helper()
	want, looks := normal(c.output), !strings.HasPrefix(c.command, "bin/run ")
	_, got := l.shell(t, c.command, env...)
	if *update {
		if looks {
			_ = poll.Pause(t.Context(), 20*time.Second) // until what came before is seen
			_, got = l.shell(t, c.command, env...)
		}
		rewrite(t, b.page, c, strings.ReplaceAll(got, l.health, "127.0.0.1:8008"))
		return
	}
	poll.Poll(t.Context(), time.Minute, func() bool {
		if normal(got) == want || !looks {
			return true
		}
		_, got = l.shell(t, c.command, env...)
		return normal(got) == want
	})
	if normal(got) != want {
		t.Errorf("%s: %s shows\n%s\nand the page\n%s\n(go test ./test/docs -run TestMakeRun -update writes it anew)", b.page, c.command, got, c.output)
	}
}

// rewrite puts the output of a command into a page.
func rewrite(t *testing.T, page string, c shown, got string) {
	t.Helper()
	before, after, found := strings.Cut(read(t, page), "$ "+c.command+"\n"+c.output)
	if !found {
		t.Fatalf("%s has no %q with its output", page, c.command)
	}
	if err := os.WriteFile(filepath.Join(root, page), []byte(before+"$ "+c.command+"\n"+got+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// normal is output without what differs from run to run: times, durations, ports and counts.
func normal(text string) string {
	for _, r := range []struct{ pattern, by string }{
		{`\d{4}-\d\d-\d\dT[0-9:.]+Z|\b\d\d:\d\d:\d\d\b`, "TIME"},
		{`127\.0\.0\.1:\d+`, "127.0.0.1:PORT"},
		{`\b(\d+(\.\d+)? ?(ms|µs|h|m|s))+\b`, "DURATION"},
		{`("(consecutive_failures|latency_ms)": )[\d.]+`, "${1}N"},
		{`[ \t]+`, " "},
		{` ?\n`, "\n"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.by)
	}
	return strings.TrimSpace(text)
}

// The README's way to serve with a file of variables.
func (l *live) testServe(t *testing.T) {
	const command = "bin/reims-health serve --env-file .env"
	if !strings.Contains(read(t, "README.md"), "\n"+command+"\n") {
		t.Fatalf("README.md does not say %s", command)
	}
	cmd := exec.Command("bash", "-c", "exec "+command)
	cmd.Dir, cmd.Env = l.dir, append(slices.Clone(l.env), "HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json")
	p, err := program.Serve(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	other := &live{health: p.Health, client: l.client}
	poll.Seen(t, time.Minute, "the sidecar with .env is healthy", func() (string, bool) {
		return other.seen(t, "All of it is healthy again.")
	})
}
