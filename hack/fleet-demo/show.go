//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

const (
	perNode, zones = 20, 3
	perSlice       = 100 // as Kubernetes' own controller
	interval       = 5 * time.Second
	pageAddr       = "127.0.0.1:8080"
	definition     = "charts/reims-health-fleet/crds/health.reims.io_dependencyhealths.yaml"
)

// What the sidecars answer.
var (
	well    = answer(farm.Service{Name: "database", Status: health.Healthy})
	refused = answer(farm.Service{Name: "database", Status: health.Unhealthy, Reason: health.ReasonRefused})
)

func answer(database farm.Service) farm.Behaviour {
	return farm.Behaviour{Response: farm.Response(
		database, farm.Service{Name: "redis", Status: health.Healthy},
		farm.Service{Name: "minio", Status: health.Healthy}, farm.Service{Name: "ollama", Status: health.Healthy})}
}

// demo is everything that runs.
type demo struct {
	kubectl, kubeconfig string
	farm                *farm.Farm
	pods                []fleet.Pod
	program             *exec.Cmd
	out                 string
	missing             int // percent; with less than 0, everything is shown
}

func show(ctx context.Context, program string, pods, missing int, out string) (err error) {
	dir, err := os.MkdirTemp("", "fleet-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{farm: farm.New(farm.Always(well)), pods: farm.Pods(pods, perNode, zones), out: out, missing: missing}
	d.refuseFor(func(*fleet.Pod) bool { return false })
	listener, err := net.Listen("tcp", ":8008")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- d.farm.Serve(listener) }()
	defer func() { err = errors.Join(err, listener.Close(), <-served) }()

	say("an API server with a DependencyHealth and the EndpointSlices of %d Pods", pods)
	k, err := servers.NewKubernetes(servers.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	if err := k.Start(ctx); err != nil {
		return err
	}
	if err := d.apply(ctx, k, dir); err != nil {
		return err
	}
	if err := d.start(ctx, program, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	watch := exec.CommandContext(ctx, d.kubectl, "--kubeconfig", d.kubeconfig, "get", "dh", "--namespace", "shop", "--watch")
	watch.Stdout = os.Stdout
	watch.Cancel = func() error { return watch.Process.Signal(syscall.SIGINT) }
	if err := watch.Start(); err != nil {
		return err
	}
	defer func() { _ = watch.Process.Signal(syscall.SIGINT); _ = watch.Wait() }() // it ends as it is told
	return d.steps(ctx)
}

func say(format string, args ...any) { fmt.Printf("\n-- "+format+"\n", args...) }

// refuseFor has the database refused for some Pods.
func (d *demo) refuseFor(fits func(p *fleet.Pod) bool) {
	answer := farm.Some(func(i int) bool { return i < len(d.pods) && fits(&d.pods[i]) }, refused, well)
	d.farm.Set(func(at netip.AddrPort) farm.Behaviour {
		i := farm.Number(at)
		if i*7919%100 >= d.missing {
			return answer(at)
		}
		late := answer(at)
		late.Delay = 1500 * time.Millisecond
		return []farm.Behaviour{{Refused: true}, {Silent: true}, late}[i%3]
	})
}

// steps breaks one thing after the other.
func (d *demo) steps(ctx context.Context) error {
	if err := d.await(ctx, "healthy", ""); err != nil {
		return err
	}
	if err := d.cost(ctx); err != nil {
		return err
	}
	if d.missing >= 0 {
		return d.outage(ctx)
	}
	for _, step := range []struct {
		what, status, extent string
		fits                 func(p *fleet.Pod) bool
	}{
		{"the way from zone b to the database is cut", "degraded", "zone b", func(p *fleet.Pod) bool { return p.Zone == "b" }},
		{"the way is back", "healthy", "", func(*fleet.Pod) bool { return false }},
		{"one Pod alone does not reach the database", "degraded", "pods", func(p *fleet.Pod) bool { return p.UID == d.pods[0].UID }},
		{"the database is stopped", "unhealthy", "shared", func(*fleet.Pod) bool { return true }},
		{"the database is back", "healthy", "", func(*fleet.Pod) bool { return false }},
	} {
		say("%s", step.what)
		d.refuseFor(step.fits)
		began := time.Now()
		if err := d.await(ctx, step.status, step.extent); err != nil {
			return err
		}
		fmt.Printf("   the status says so after %.1f s\n", time.Since(began).Seconds())
		if step.extent != "" {
			if err := d.picture(ctx, strings.ReplaceAll(step.extent, " ", "-")); err != nil {
				return err
			}
		}
		// Two rounds must agree before an Event tells.
		if err := poll.Pause(ctx, 3*interval); err != nil {
			return err
		}
	}
	say("the Events")
	return d.run(ctx, "", "get", "events", "--namespace", "shop", "--output", "custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message")
}

// outage measures one of all Pods.
func (d *demo) outage(ctx context.Context) error {
	say("the database is stopped, and %d %% of the Pods are missing or slow", d.missing)
	d.refuseFor(func(*fleet.Pod) bool { return true })
	began := time.Now()
	if err := d.await(ctx, "unhealthy", "shared"); err != nil {
		return err
	}
	fmt.Printf("   the status says so after %.1f s\n", time.Since(began).Seconds())
	return d.cost(ctx)
}

// await waits until the status of the object says so.
func (d *demo) await(ctx context.Context, status, extent string) error {
	want, last := status+"|"+extent, ""
	if !poll.Poll(ctx, 3*time.Minute, func() bool {
		out, _ := exec.CommandContext(ctx, d.kubectl, "--kubeconfig", d.kubeconfig, "get", "dh", "reims", "--namespace", "shop",
			"--output", "jsonpath={.status.status}|{.status.summary.extent}").Output()
		last = string(out)
		return last == want
	}) {
		return fmt.Errorf("the status is %q, want %q", last, want)
	}
	return nil
}

// apply makes the objects.
func (d *demo) apply(ctx context.Context, k *servers.Kubernetes, dir string) (err error) {
	if d.kubectl, err = install.Program(ctx, install.To(os.Stdout), "kubectl"); err != nil {
		return err
	}
	d.kubeconfig = filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"it",
"clusters":[{"name":"it","cluster":{"server":%q,"certificate-authority":%q}}],
"users":[{"name":"it","user":{"token":%q}}],"contexts":[{"name":"it","context":{"cluster":"it","user":"it"}}]}`, k.Endpoint(), k.CAFile(), k.Token)
	if err := os.WriteFile(d.kubeconfig, []byte(text), 0o600); err != nil {
		return err
	}
	if err := d.run(ctx, "", "apply", "--filename", definition); err != nil {
		return err
	}
	if err := d.run(ctx, "", "wait", "--for=condition=Established", "crd/dependencyhealths.health.reims.io", "--timeout=60s"); err != nil {
		return err
	}
	if err := d.run(ctx, "", "create", "namespace", "shop"); err != nil {
		return err
	}
	list, err := d.objects()
	if err != nil {
		return err
	}
	return d.run(ctx, list, "create", "--filename", "-")
}

// objects returns the DependencyHealth and the EndpointSlices of its Service.
func (d *demo) objects() (string, error) {
	type object = map[string]any
	items := []any{object{
		"apiVersion": "health.reims.io/v1alpha1", "kind": "DependencyHealth", "metadata": object{"name": "reims", "namespace": "shop"},
		"spec": object{"service": "reims-peers"},
	}}
	for first := 0; first < len(d.pods); first += perSlice {
		var endpoints []any
		for i := first; i < min(first+perSlice, len(d.pods)); i++ {
			p := &d.pods[i]
			endpoints = append(endpoints, object{
				"addresses": []string{p.Address.Addr().String()}, "nodeName": p.Node, "zone": p.Zone,
				"conditions": object{"ready": true, "serving": true},
				"targetRef":  object{"kind": "Pod", "namespace": "shop", "name": p.Name, "uid": p.UID},
			})
		}
		items = append(items, object{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints,
			"metadata": object{
				"name": "reims-peers-" + strconv.Itoa(first/perSlice), "namespace": "shop",
				"labels": object{"kubernetes.io/service-name": "reims-peers", "health.reims.io/sidecars": "true"},
			},
		})
	}
	list, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
	return string(list), err
}

// run runs kubectl.
func (d *demo) run(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, d.kubectl, append([]string{"--kubeconfig", d.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	if len(out) < 2000 {
		_, err = os.Stdout.Write(out)
	}
	return err
}

// start starts the program.
func (d *demo) start(ctx context.Context, program, dir string) error {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the program has it
	d.program = exec.CommandContext(ctx, program)
	d.program.Env = []string{
		"FLEET_KUBECONFIG=" + d.kubeconfig, "FLEET_ADDR=" + pageAddr, "FLEET_METRICS_ADDR=127.0.0.1:9090", "FLEET_HEALTH_ADDR=127.0.0.1:8081",
		"POD_NAME=demo", "POD_NAMESPACE=shop", "FLEET_NAMESPACES=shop", "GOMEMLIMIT=120MiB",
	}
	d.program.Stdout, d.program.Stderr = log, log
	d.program.Cancel = func() error { return d.program.Process.Signal(syscall.SIGTERM) }
	return d.program.Start()
}

func (d *demo) stop() error {
	if err := d.program.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.program.Wait()
}

// cost measures what the program takes while all is well.
func (d *demo) cost(ctx context.Context) error {
	const lasting = 30 * time.Second
	say("what it costs, over %s", lasting)
	cpu, err := d.processor()
	if err != nil {
		return err
	}
	requests := d.farm.Requests()
	if err := poll.Pause(ctx, lasting); err != nil {
		return err
	}
	after, err := d.processor()
	if err != nil {
		return err
	}
	memory, err := d.resident()
	if err != nil {
		return err
	}
	fmt.Printf("   %d Pods: %.1f MiB resident, %.2f %% of a core, %.0f requests per second\n", len(d.pods),
		float64(memory)/(1<<20), 100*(after-cpu).Seconds()/lasting.Seconds(), float64(d.farm.Requests()-requests)/lasting.Seconds())
	return nil
}

// processor is the time that the program has used, from its line in /proc.
func (d *demo) processor() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.program.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	user, err1 := strconv.Atoi(string(fields[11]))
	system, err2 := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * time.Second / 100, errors.Join(err1, err2)
}

// resident is the memory that the program has, in bytes.
func (d *demo) resident() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", d.program.Process.Pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(string(bytes.Fields(text)[1]))
	return pages * os.Getpagesize(), err
}

// picture keeps the page as it looks now.
func (d *demo) picture(ctx context.Context, name string) error {
	chromium, err := install.Chromium(ctx, install.To(os.Stdout))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	file, err := filepath.Abs(filepath.Join(d.out, name+".png"))
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,1400",
		"--screenshot="+file, "http://"+pageAddr+"/").CombinedOutput()
	if err != nil {
		return fmt.Errorf("chromium: %w\n%s", err, out)
	}
	fmt.Printf("   the page: %s\n", filepath.Join(d.out, name+".png"))
	return nil
}
