//go:build e2e

package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The cluster's whole life, as users have it: `make test-cluster`.
func TestLifecycle(t *testing.T) {
	cluster := command(t)
	owner := ownerOf(t)
	cluster.must("up", "--owner="+strconv.Itoa(owner.Process.Pid))
	t.Cleanup(func() {
		if out, err := cluster.run("down"); err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
	})
	cluster.refused("one is up", "up")
	if nodes := cluster.must("exec", "--", "kubectl", "get", "nodes", "--no-headers"); !strings.Contains(nodes, " Ready ") {
		t.Errorf("nodes: %s", nodes)
	}
	cluster.answersOnlyInside()
	cluster.hidesItsMounts()

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // tells of the kill
	if out := cluster.must("up"); !strings.Contains(out, "it ends first") {
		t.Errorf("up, the owner having ended: %s", out)
	}
	cluster.refused("one is up", "up")

	begin := time.Now()
	cluster.crash()
	cluster.refused("no cluster is up", "exec", "--", "true")
	cluster.must("up")
	t.Logf("up again %s after a crash", time.Since(begin))

	cluster.must("down")
	cluster.leavesNothing()
	cluster.refused("no cluster is up", "import", "nothing.tar")
	if out := cluster.must("down"); !strings.Contains(out, "No cluster is up") {
		t.Errorf("a second down: %s", out)
	}
}

type built struct {
	testing.TB
	path string
}

func command(t testing.TB) built {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return built{t, path}
}

// ownerOf starts a process that waits to be killed.
func ownerOf(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() }) // its end, if nothing else was
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func (b built) run(args ...string) ([]byte, error) {
	return exec.Command(b.path, args...).CombinedOutput()
}

func (b built) must(args ...string) string {
	b.Helper()
	out, err := b.run(args...)
	if err != nil {
		b.Fatalf("cluster %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (b built) refused(want string, args ...string) {
	b.Helper()
	out, err := b.run(args...)
	if err == nil || !strings.Contains(string(out), want) {
		b.Errorf("cluster %s: %v: %s, want %q", strings.Join(args, " "), err, out, want)
	}
}

// crash ends the node as a machine out of memory would.
func (b built) crash() {
	b.Helper()
	raw, err := os.ReadFile("/run/reims-health-cluster/state.json")
	if err != nil {
		b.Fatal(err)
	}
	var state struct{ PID int }
	if err := json.Unmarshal(raw, &state); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(state.PID, 0) == nil {
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("process %d is still there, 10 s after it was killed", state.PID)
		}
	}
}

// answersOnlyInside asks for the API server by its certificate, because a gateway may
// take any connection.
func (b built) answersOnlyInside() {
	b.Helper()
	ca, err := os.ReadFile("/run/reims-health-cluster/pki/ca.crt")
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	if answer, err := client.Get("https://10.245.0.2:6443/livez"); err == nil {
		answer.Body.Close()
		b.Errorf("the API server answers outside of its network: %s", answer.Status)
	}
}

func (b built) hidesItsMounts() {
	b.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		b.Fatal(err)
	}
	if bytes.Contains(mounts, []byte("reims-health-cluster")) || bytes.Contains(mounts, []byte("/kubelet/")) {
		b.Errorf("the node's mounts are seen outside:\n%s", mounts)
	}
}

func (b built) leavesNothing() {
	b.Helper()
	groups, err := filepath.Glob("/sys/fs/cgroup/*/reims-health-cluster")
	if own, _ := filepath.Glob("/sys/fs/cgroup/reims-health-cluster"); err != nil || len(groups)+len(own) > 0 {
		b.Errorf("cgroups: %q %q %v", groups, own, err)
	}
	left, err := os.ReadDir("/run/reims-health-cluster")
	if err != nil || len(left) != 1 || left[0].Name() != "log" {
		b.Errorf("files: %v %v", left, err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range commands {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte("/run/reims-health-cluster/")) {
			b.Errorf("a process: %s", line)
		}
	}
	b.hidesItsMounts()
}
