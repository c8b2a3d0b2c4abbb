//go:build e2e

package controller_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/controller"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

const definition = "../../../charts/reims-health-fleet/crds/health.reims.io_dependencyhealths.yaml"

// What sidecars answer.
var (
	well    = farm.Healthy()
	refused = farm.Refused()
	slow    = farm.Behaviour{Response: farm.Response(
		farm.Service{Name: "database", Status: health.Healthy}, farm.Service{Name: "redis", Status: health.Unhealthy, Reason: health.ReasonTimeout})}
)

func ready(int) bool { return true }

// cluster is a real API server that knows the custom resource.
type cluster struct {
	kubernetes *servers.Kubernetes
	config     *rest.Config // of one who may do everything
	admin      client.Client
	kubectl    string
	kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	k := servers.RunKubernetes(t)
	c := &cluster{kubernetes: k, config: &rest.Config{
		Host: k.Endpoint(), BearerToken: k.Token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: k.CAFile()},
	}}
	scheme := runtime.NewScheme()
	must(t, clientscheme.AddToScheme(scheme))
	must(t, v1alpha1.AddToScheme(scheme))
	var err error
	c.admin, err = client.New(c.config, client.Options{Scheme: scheme})
	must(t, err)
	text, err := os.ReadFile(definition)
	must(t, err)
	crd := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal(text, &crd.Object))
	must(t, c.admin.Create(t.Context(), earlier(t, crd), client.FieldOwner("helm")))
	poll.Until(t, "the resource is served", func() bool {
		return c.admin.List(t.Context(), &v1alpha1.DependencyHealthList{}) == nil
	})
	c.kubectl, err = install.Program(t.Context(), install.Lines(func(line string) { t.Log(line) }), "kubectl")
	must(t, err)
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(c.kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: it, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: it, user: {token: %q}}]
contexts: [{name: it, context: {cluster: it, user: it}}]
current-context: it
`, k.Endpoint(), k.CAFile(), k.Token), 0o600))
	return c
}

// earlier makes a definition one of an earlier version, which has fewer fields and columns.
func earlier(t *testing.T, crd *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	must(t, err)
	version, _ := versions[0].(map[string]any)
	columns, _, err := unstructured.NestedSlice(version, "additionalPrinterColumns")
	must(t, err)
	must(t, unstructured.SetNestedSlice(version, columns[:len(columns)-1], "additionalPrinterColumns"))
	status := []string{"schema", "openAPIV3Schema", "properties", "status", "properties"}
	for _, field := range [][]string{{"since"}, {"services", "items", "properties", "announced"}} {
		path := slices.Concat(status, field)
		_, found, err := unstructured.NestedMap(version, path...)
		must(t, err)
		if !found {
			t.Fatalf("the definition has no %v", field)
		}
		unstructured.RemoveNestedField(version, path...)
	}
	must(t, unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"))
	return crd
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) namespace(t *testing.T) string {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "fleet-"}}
	must(t, c.admin.Create(t.Context(), n))
	return n.Name
}

// decode returns an object called reims with the spec, unchecked.
func (c *cluster) decode(t *testing.T, namespace, spec string) client.Object {
	t.Helper()
	o := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal(fmt.Appendf(nil, `{apiVersion: health.reims.io/v1alpha1, kind: DependencyHealth, metadata: {name: reims, namespace: %s}, spec: %s}`, namespace, spec), &o.Object))
	return o
}

func (c *cluster) get(t *testing.T, namespace string) *v1alpha1.DependencyHealth {
	t.Helper()
	o := &v1alpha1.DependencyHealth{}
	must(t, c.admin.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "reims"}, o))
	return o
}

// user returns the config of one who has the rights that grant gives.
func (c *cluster) user(t *testing.T, namespace string) *rest.Config {
	t.Helper()
	c.grant(t, namespace)
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "fleet-" + namespace}
	return config
}

// grant gives the rights to write, as well as those to read, in one namespace.
func (c *cluster) grant(t *testing.T, namespace string) {
	t.Helper()
	c.grantTo(t, namespace, namespace)
}

// grantTo gives them in one namespace to the user of another.
func (c *cluster) grantTo(t *testing.T, namespace, user string) {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fleet"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"health.reims.io"}, Resources: []string{"dependencyhealths"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"health.reims.io"}, Resources: []string{"dependencyhealths/status"}, Verbs: []string{"patch"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create"}},
	}}
	if err := c.admin.Create(t.Context(), role); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	must(t, c.admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fleet"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "fleet-" + user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "fleet"},
	}))
}

func (c *cluster) revoke(t *testing.T, namespace string) {
	t.Helper()
	must(t, c.admin.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fleet"}}))
}

// workload is a DependencyHealth called reims, with the EndpointSlices of its Service, in a
// namespace of its own. Its sidecars are a farm's.
type workload struct {
	t         *testing.T
	cluster   *cluster
	namespace string
	farm      *farm.Farm
}

func (c *cluster) workload(t *testing.T, pods, perNode, zones int) *workload {
	t.Helper()
	w := &workload{t: t, cluster: c, namespace: c.namespace(t), farm: farm.New(farm.Always(well))}
	w.publish(pods, perNode, zones, ready)
	must(t, c.admin.Create(t.Context(), c.decode(t, w.namespace, `{service: reims-peers, interval: 1s}`)))
	return w
}

// perSlice is how many endpoints Kubernetes' controller puts into one EndpointSlice.
const perSlice = 100

// publish makes the EndpointSlices those of so many Pods.
func (w *workload) publish(n, perNode, zones int, ready func(i int) bool) {
	w.t.Helper()
	must(w.t, w.cluster.admin.DeleteAllOf(w.t.Context(), &discoveryv1.EndpointSlice{}, client.InNamespace(w.namespace)))
	pods := farm.Pods(n, perNode, zones)
	for first := 0; first < n; first += perSlice {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "reims-peers-", Labels: map[string]string{
				discoveryv1.LabelServiceName: "reims-peers", controller.SidecarsLabel: "true",
			}},
			AddressType: discoveryv1.AddressTypeIPv4,
		}
		for i := first; i < min(first+perSlice, n); i++ {
			p := &pods[i]
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{p.Address.Addr().String()}, NodeName: &p.Node, Zone: &p.Zone,
				Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(ready(i)), Terminating: new(false)},
				TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: w.namespace, Name: p.Name, UID: types.UID(p.UID)},
			})
		}
		must(w.t, w.cluster.admin.Create(w.t.Context(), slice))
	}
}

// audited is how many writes of the status the API server has noted, whatever it answered.
func (w *workload) audited() (n int) {
	w.t.Helper()
	log, err := os.ReadFile(w.cluster.kubernetes.AuditLog())
	must(w.t, err)
	for line := range bytes.Lines(log[:bytes.LastIndexByte(log, '\n')+1]) {
		var e struct{ Verb, RequestURI string }
		must(w.t, json.Unmarshal(line, &e))
		if e.Verb == "patch" && strings.Contains(e.RequestURI, "/namespaces/"+w.namespace+"/dependencyhealths/reims/status") {
			n++
		}
	}
	return n
}

// await waits until the object says so, and returns it.
func (w *workload) await(status, extent, pods string) (got *v1alpha1.DependencyHealth) {
	w.t.Helper()
	poll.Seen(w.t, 2*time.Minute, fmt.Sprintf("the status is %s, extent %q, with %s Pods", status, extent, pods), func() (string, bool) {
		got = &v1alpha1.DependencyHealth{}
		err := w.cluster.admin.Get(w.t.Context(), types.NamespacedName{Namespace: w.namespace, Name: "reims"}, got)
		s := got.Status
		seen, _ := json.Marshal(s)
		return fmt.Sprintf("%v\n%s", err, seen), err == nil && s.Status == status && s.Summary.Extent == extent && s.Summary.Pods == pods
	})
	return got
}

func (w *workload) kubectl(args ...string) (string, error) {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), w.cluster.kubectl, append([]string{"--kubeconfig", w.cluster.kubeconfig, "--namespace", w.namespace}, args...)...).CombinedOutput()
	return string(out), err
}

// wantKubectl wants a text in what kubectl get shows.
func (w *workload) wantKubectl(want string) {
	w.t.Helper()
	out, err := w.kubectl("get", "dh")
	if err != nil || !strings.Contains(squeeze(out), squeeze(want)) {
		w.t.Errorf("kubectl get dh: %v\n%s\nwant in it\n%s", err, out, want)
	}
}

// squeeze makes columns of any width one.
func squeeze(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

// replica is one running program, all but its listeners.
type replica struct {
	collector *fleet.Collector
	registry  *prometheus.Registry
	name      fleet.Workload
	log       program.Output
	writes    atomic.Int64 // of statuses
	cut       atomic.Bool  // it does not reach the API server
	lose      atomic.Bool  // it does not get the answers to its writes of statuses
	done      chan struct{}
	err       error
}

func (w *workload) replica(t *testing.T, name string) *replica {
	t.Helper()
	return w.replicaOf(t, name, w.cluster.config)
}

// replicaOf runs a replica with a config until the test ends. Of one that may read its
// namespace only, there is no other to be elected. It looks at other namespaces, too.
func (w *workload) replicaOf(t *testing.T, name string, config *rest.Config, others ...string) *replica {
	t.Helper()
	r := &replica{
		collector: fleet.NewCollector(fleet.Options{Dial: w.farm.Dial}), registry: prometheus.NewRegistry(),
		name: fleet.Workload{Namespace: w.namespace, Name: "reims"}, done: make(chan struct{}),
	}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{r, next} })
	m, err := controller.New(config, controller.Options{
		Collector: r.collector, Namespaces: append(others, w.namespace), Registry: r.registry,
		LeaderElection: config.Impersonate.UserName == "", Namespace: w.namespace, Identity: name,
		Log: slog.New(slog.NewJSONHandler(&r.log, nil)),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { defer close(r.done); r.err = m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-r.done
		if r.err != nil {
			t.Errorf("replica %s: %v", name, r.err)
		}
		if t.Failed() {
			t.Logf("the log of replica %s:\n%s", name, r.log.String())
		}
	})
	return r
}

// ended returns why the program has ended, or nil while it runs.
func (r *replica) ended() error {
	select {
	case <-r.done:
		return errors.Join(r.err, errors.New("ended"))
	default:
		return nil
	}
}

func (r *replica) summary() *fleet.Summary { return r.collector.Summary(r.name) }

func (r *replica) leads() bool {
	families, _ := r.registry.Gather()
	for _, f := range families {
		if f.GetName() == "reims_fleet_leader" {
			return f.GetMetric()[0].GetGauge().GetValue() == 1
		}
	}
	return false
}

// counting counts the writes of a replica, and keeps it from the API server while it is cut.
type counting struct {
	replica *replica
	next    http.RoundTripper
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.replica.cut.Load() {
		return nil, errors.New("cut off")
	}
	if strings.HasSuffix(r.URL.Path, "/status") {
		c.replica.writes.Add(1)
		response, err := c.next.RoundTrip(r)
		if c.replica.lose.Load() && err == nil {
			_ = response.Body.Close()
			return nil, errors.New("the answer was lost")
		}
		return response, err
	}
	return c.next.RoundTrip(r)
}
