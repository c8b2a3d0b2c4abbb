//go:build e2e

package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/reims/reims-health/test/poll"
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
	cluster.resolvesServices()
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
	if out, err := exec.Command("go", "build", "-trimpath", "-o", path, ".").CombinedOutput(); err != nil {
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

// resolvesServices asks the cluster's DNS server, from within the node's network, for
// Services that the API server has and for names that it has not.
func (b built) resolvesServices() {
	b.Helper()
	manifest := filepath.Join(b.TempDir(), "headless.yaml")
	if err := os.WriteFile(manifest, []byte(headless), 0o600); err != nil {
		b.Fatal(err)
	}
	b.must("exec", "--", "kubectl", "apply", "--filename", manifest)
	for _, test := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"kubernetes.default.svc.cluster.local.", dnsmessage.TypeA, "RCodeSuccess [10 96 0 1]"},
		{"Kubernetes.Default.SVC.Cluster.Local.", dnsmessage.TypeA, "RCodeSuccess [10 96 0 1]"},
		{"kubernetes.default.svc.cluster.local.", dnsmessage.TypeAAAA, "RCodeSuccess"},
		{"headless.default.svc.cluster.local.", dnsmessage.TypeA, "RCodeSuccess [10 244 0 201] [10 244 0 202]"},
		{"outside.default.svc.cluster.local.", dnsmessage.TypeA, "RCodeNameError"},
		{"nothing.default.svc.cluster.local.", dnsmessage.TypeA, "RCodeNameError"},
		{"kubernetes.default.svc.cluster.local.svc.cluster.local.", dnsmessage.TypeA, "RCodeNameError"},
		{"example.com.", dnsmessage.TypeA, "RCodeNameError"},
	} {
		if got := b.resolve(test.name, test.kind); got != test.want {
			b.Errorf("DNS, %s %s: %s, want %s", test.kind, test.name, got, test.want)
		}
	}
}

// headless holds a Service without a cluster IP, one of whose three endpoints is not
// ready, and one that is only an alias of a name outside.
const headless = `
{apiVersion: v1, kind: Service, metadata: {name: headless}, spec: {clusterIP: None, ports: [{port: 80}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: headless, labels: {kubernetes.io/service-name: headless}}
addressType: IPv4
ports: [{port: 80}]
endpoints:
  - {addresses: [10.244.0.201]}
  - {addresses: [10.244.0.202], conditions: {ready: true}}
  - {addresses: [10.244.0.203], conditions: {ready: false}}
---
{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName, externalName: example.com}}
`

// resolve returns the code and the addresses of the answer.
func (b built) resolve(name string, kind dnsmessage.Type) string {
	b.Helper()
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packet, err := question.Pack()
	if err != nil {
		b.Fatal(err)
	}
	const ask = "exec 3<>/dev/udp/10.245.0.2/53 && cat >&3 && timeout 50 dd bs=512 count=1 status=none <&3"
	cmd := exec.Command(b.path, "exec", "--", "bash", "-c", ask)
	cmd.Stdin = bytes.NewReader(packet)
	packet, err = cmd.Output()
	if err != nil {
		b.Fatalf("ask the DNS server for %s: %v", name, err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(packet); err != nil || answer.ID != question.ID || !answer.Response {
		b.Fatalf("the DNS server's answer for %s: %v: %+v", name, err, answer.Header)
	}
	words := []string{answer.RCode.String()}
	for _, r := range answer.Answers {
		words = append(words, fmt.Sprint(r.Body.(*dnsmessage.AResource).A))
	}
	return strings.Join(words, " ")
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
	poll.Until(b, fmt.Sprintf("process %d, which was killed, is gone", state.PID), func() bool { return syscall.Kill(state.PID, 0) != nil })
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
