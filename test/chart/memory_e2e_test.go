//go:build e2e

package chart_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// connections are as many as the sidecar takes at once.
const connections = 256

// The limits that the chart sets are enough under load, and in an outage.
func TestMemoryLimits(t *testing.T) {
	objects := decode(t, installation{"", filepath.Join(charts(t), "reims-health/ci/hook-values.yaml")}.in(t, "reims-health"))
	binary, err := program.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	env := pg.Env()
	for _, more := range [][]servers.Var{
		servers.RunRedis(t, servers.RedisOptions{}).Env(),
		servers.RunMinIO(t, servers.MinIOOptions{}).Env(),
		servers.RunOllama(t, servers.OllamaOptions{}).Env(),
	} {
		env = append(env, more...)
	}
	for _, o := range objects {
		for _, c := range containers(o.pod()) {
			switch c.text("name") {
			case "migrate":
				group := newCgroup(t, c)
				if out, err := group.command(t.Context(), env, binary, "migrate", "up").CombinedOutput(); err != nil {
					t.Errorf("migrate: %v\n%s", err, out)
				}
				group.check(t, "migrate")
			case "reims-health":
				group := newCgroup(t, c)
				underLoad(t, group.command(t.Context(), env, binary, "serve"), pg)
				group.check(t, "serve")
			}
		}
	}
}

// in renders the chart of that name with these values.
func (i installation) in(t *testing.T, name string) string {
	t.Helper()
	i.chart = filepath.Join(charts(t), name)
	return i.render(t, "helm4", kubeVersions[1])
}

// underLoad runs the sidecar while every connection it takes asks it, with the database
// there and frozen.
func underLoad(t *testing.T, cmd *exec.Cmd, pg *servers.Postgres) {
	t.Helper()
	addr, metrics := servers.FreeAddr(t), servers.FreeAddr(t)
	cmd.Env = append(cmd.Env, "HEALTH_ADDR="+addr, "METRICS_ADDR="+metrics)
	cmd.Stderr = io.Discard
	p, err := program.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	var clients sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for n := range connections {
		url := []string{"http://" + addr + "/health", "http://" + addr + "/health/database?verbose", "http://" + metrics + "/metrics"}[n%3]
		clients.Go(func() { ask(ctx, url) })
	}
	wait(t, 10*time.Second)
	if err := pg.Freeze(); err != nil {
		t.Error(err)
	}
	wait(t, 10*time.Second)
	if err := pg.Thaw(); err != nil {
		t.Error(err)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "RssAnon") {
			t.Log("under load: " + strings.TrimSpace(line))
		}
	}
	stop()
	clients.Wait()
	select {
	case <-p.Exited():
		t.Error("it was not there any more")
	default:
	}
	if err := p.Stop(); err != nil {
		t.Errorf("serve: %v", err)
	}
}

func ask(ctx context.Context, url string) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}

// cgroup has the memory limit of a container, and its GOMEMLIMIT.
type cgroup struct{ dir, gomemlimit, peak, events string }

func newCgroup(t *testing.T, container object) *cgroup {
	t.Helper()
	limit, ok := strings.CutSuffix(container.text("resources", "limits", "memory"), "Mi")
	mebibytes, err := strconv.Atoi(limit)
	if !ok || err != nil {
		t.Fatalf("limit: %v", container["resources"])
	}
	g := &cgroup{dir: "/sys/fs/cgroup", peak: "memory.peak", events: "memory.events"}
	file := "memory.max"
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err == nil { // version 1
		g = &cgroup{dir: "/sys/fs/cgroup/memory", peak: "memory.max_usage_in_bytes", events: "memory.oom_control"}
		file = "memory.limit_in_bytes"
	}
	for _, env := range container.list("env") {
		if env.text("name") == "GOMEMLIMIT" {
			g.gomemlimit = env.text("value")
		}
	}
	g.dir = filepath.Join(g.dir, fmt.Sprintf("reims-health-%d-%s", os.Getpid(), container.text("name")))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatalf("a memory cgroup, for which it takes root: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(g.dir) })
	if err := os.WriteFile(filepath.Join(g.dir, file), strconv.AppendInt(nil, int64(mebibytes)<<20, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// command runs a program in the cgroup.
func (g *cgroup) command(ctx context.Context, env []servers.Var, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `echo $$ > "$0"/cgroup.procs && exec "$@"`, g.dir}, args...)...)
	cmd.Env = []string{"GOMEMLIMIT=" + g.gomemlimit}
	for _, v := range env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	return cmd
}

// check fails where the kernel killed.
func (g *cgroup) check(t *testing.T, name string) {
	t.Helper()
	peak, _ := os.ReadFile(filepath.Join(g.dir, g.peak))
	events, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: GOMEMLIMIT %s, peak with its cache %s bytes", name, g.gomemlimit, strings.TrimSpace(string(peak)))
	if !strings.Contains(string(events), "oom_kill 0") {
		t.Errorf("%s: the kernel killed:\n%s", name, events)
	}
}
