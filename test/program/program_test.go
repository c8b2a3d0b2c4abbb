package program_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/program"
)

const serving = `printf '{"msg":"first"}\n{"msg":"ser' >&2; printf 'ving","health_addr":"127.0.0.1:1","metrics_addr":"127.0.0.1:2"}\n' >&2; `

func TestServe(t *testing.T) {
	t.Parallel()
	for name, frozen := range map[string]bool{"running": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := program.Serve(exec.Command("sh", "-c", serving+"exec sleep 1000"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Kill)
			if p.Health != "127.0.0.1:1" || p.Metrics != "127.0.0.1:2" || strings.Count(p.Log(), "\n") != 2 {
				t.Errorf("serves on %q and %q; log:\n%s", p.Health, p.Metrics, p.Log())
			}
			if frozen {
				p.Signal(syscall.SIGSTOP)
			}
			if err := p.Stop(); err == nil || err.Error() != "signal: terminated" {
				t.Errorf("Stop: %v", err)
			}
		})
	}
}

// A program that ends before it serves is told with what it logged.
func TestServeFails(t *testing.T) {
	t.Parallel()
	_, err := program.Serve(exec.Command("sh", "-c", "echo bad settings >&2; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "bad settings") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	code, stdout, stderr, err := program.Run(exec.Command("sh", "-c", "echo out; echo err >&2; exit 3"))
	if code != 3 || stdout != "out\n" || stderr != "err\n" || err != nil {
		t.Errorf("code %d, %q, %q, %v", code, stdout, stderr, err)
	}
	if _, _, _, err := program.Run(exec.Command("/nonexistent")); err == nil {
		t.Error("no error for a program that is not there")
	}
}
