package check_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/reims/reims-health/test/poll"
)

// sixteen are the variables of as many services as there may be, with the longest names, none
// of which answers. Their checks see, and say, as much as a failed one can.
func sixteen() (names, env []string) {
	for i := range 16 {
		name := fmt.Sprintf("warehouse-in-the-north-of-apis-%x", i)
		prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		scheme := []string{"postgres://127.0.0.1:1/orders", "s3://127.0.0.1:1", "ollama://127.0.0.1:1"}[i%3]
		names = append(names, name)
		env = append(env, prefix+"_CHECK="+scheme, prefix+"_PROBE_INTERVAL=500ms")
		if i%3 == 1 {
			env = append(env, prefix+"_ACCESS_KEY=canary", prefix+"_SECRET_KEY=canary")
		}
		if i%3 == 0 {
			env = append(env, prefix+"_READINESS=strict")
		}
	}
	return names, append(env, "HEALTH_SERVICES="+strings.Join(names, ","))
}

// TestSixteen bounds what a reader is given of sixteen services that are all unhealthy.
func TestSixteen(t *testing.T) {
	t.Parallel()
	names, env := sixteen()
	if len(names[0]) != 32 {
		t.Fatalf("%s has %d letters, want the 32 that there may be", names[0], len(names[0]))
	}
	state := filepath.Join(t.TempDir(), "state")
	s, err := startSidecar(t.Context(), append(env, "HEALTH_STATE_FILE="+state, "POD_UID=5a7e6f64-0000-4000-8000-000000000000", "LOG_LEVEL=debug"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill() })
	t.Run("answers", func(t *testing.T) {
		for path, want := range map[string]struct{ code, most int }{
			"/health": {503, 16 << 10}, "/health?verbose": {503, 4 << 10}, "/health/ready": {503, 4 << 10}, "/health/ready?verbose": {503, 4 << 10},
			"/health/" + names[7]: {503, 1 << 10}, "/health/peer": {200, 3 << 10}, "/health/history": {200, 64 << 10},
			"/health/nosuch": {404, 2 << 10}, "/": {200, 128 << 10},
		} {
			body := s.body(t, path, want.code)
			if len(body) > want.most {
				t.Errorf("%s has %d bytes, want %d at most", path, len(body), want.most)
			}
			if mentions := strings.Count(body, names[15]); mentions == 0 && !strings.HasPrefix(path, "/health/warehouse") && !strings.HasPrefix(path, "/health/ready") {
				t.Errorf("%s says nothing of the last service:\n%s", path, body)
			}
			t.Logf("%s: %d bytes", path, len(body))
		}
	})
	t.Run("state", func(t *testing.T) {
		poll.Within(t, patience, "the state file has all services", func() bool {
			content, _ := os.ReadFile(state)
			var document struct {
				Services map[string]any `json:"services"`
			}
			return json.Unmarshal(content, &document) == nil && len(document.Services) == 16 && len(content) < 16<<10
		})
	})
	t.Run("log", func(t *testing.T) {
		first := ""
		for line := range strings.Lines(s.Log()) {
			if len(line) > 4<<10 {
				t.Errorf("a line of %d bytes: %s", len(line), line)
			}
			if strings.Contains(line, "first verdicts") {
				first = line
			}
		}
		for _, name := range names {
			if !strings.Contains(first, `"`+name+`":"unhealthy: refused"`) {
				t.Errorf("the first verdicts say nothing of %s: %s", name, first)
			}
		}
	})
	for _, args := range [][]string{
		{}, {"endpoints"}, {"detailed", "--count", "2"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			out := onTerminal(t, 80, []string{"HEALTH_ADDR=" + s.addr}, args...)
			for line := range strings.Lines(out) {
				if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			for _, name := range names {
				if !strings.Contains(out, name) {
					t.Errorf("nothing of %s in\n%s", name, out)
				}
			}
		})
	}
	t.Run("monitor", func(t *testing.T) {
		tt := startTerminal(t, 80, 24, []string{"HEALTH_ADDR=" + s.addr}, "monitor", "--interval", "200ms")
		for _, name := range names { // whole, since they differ in the last letter
			tt.sees("^" + name + " +unhealthy")
		}
		tt.press("q")
		tt.exits(0)
	})
}

func (s *sidecar) body(t *testing.T, path string, code int) string {
	t.Helper()
	answer, err := http.Get("http://" + s.addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != code {
		t.Fatalf("%s: %d, want %d: %v\n%s", path, answer.StatusCode, code, err, body)
	}
	return string(body)
}

var styles = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")

// onTerminal is what reims-health check writes to a terminal, without its styles. The lines
// are the program's own, whatever the terminal would wrap.
func onTerminal(t *testing.T, columns int, env []string, args ...string) string {
	t.Helper()
	return styles.ReplaceAllString(raw(t, columns, append([]string{"TERM=xterm-256color"}, env...), args...), "")
}

// raw is all that it writes to a terminal.
func raw(t *testing.T, columns int, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"check"}, args...)...)
	cmd.Env = env
	terminal, err := pty.StartWithSize(cmd, size(columns, 24))
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	out, _ := io.ReadAll(terminal) // EIO is the end
	_ = cmd.Wait()                 // some services are unhealthy
	return string(out)
}
