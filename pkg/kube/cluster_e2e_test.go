//go:build e2e

package kube_test

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// cluster is a real API server and a client that may do everything.
type cluster struct {
	*servers.Kubernetes
	admin client.Client
}

func clusterOf(t *testing.T, k *servers.Kubernetes) *cluster {
	t.Helper()
	admin, err := client.New(&rest.Config{
		Host: k.Endpoint(), BearerToken: k.Token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: k.CAFile()},
	}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{Kubernetes: k, admin: admin}
}

// pod is a Pod in a namespace of its own, and its service account's way to the API
// server: through a gate.
type pod struct {
	t       *testing.T
	cluster *cluster
	*corev1.Pod
	token     string
	tokenFile string
	gate      *gate
	url       string // of the gate
}

// newPod makes a Pod whose service account has no rights.
func (c *cluster) newPod(t *testing.T) *pod {
	t.Helper()
	p := &pod{t: t, cluster: c}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	p.create(namespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "api"}}
	p.create(account)
	p.Pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "api-0"},
		Spec: corev1.PodSpec{
			ServiceAccountName: "api",
			Containers:         []corev1.Container{{Name: "api", Image: "example.invalid/api"}},
		},
	}
	p.create(p.Pod)
	request := &authenticationv1.TokenRequest{}
	if err := c.admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	p.token, p.tokenFile = request.Status.Token, filepath.Join(t.TempDir(), "token")
	p.mount(p.token)
	p.gate = newGate(t, c.Kubernetes)
	server := httptest.NewServer(p.gate)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// mount makes that the token in the file, at once, as the kubelet does: the reporter never
// reads half a token.
func (p *pod) mount(token string) {
	p.t.Helper()
	if err := os.WriteFile(p.tokenFile+".new", []byte(token+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(p.tokenFile+".new", p.tokenFile); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) create(o client.Object) {
	p.t.Helper()
	if err := p.cluster.admin.Create(p.t.Context(), o); err != nil {
		p.t.Fatal(err)
	}
}

// grant gives the service account the rights that the documentation names.
func (p *pod) grant() {
	p.t.Helper()
	role := documentedRole(p.t)
	role.Namespace, role.Name = p.Namespace, "reims-health"
	p.create(role)
	p.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "reims-health"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: p.Namespace, Name: "api"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reims-health"},
	})
}

// report starts a reporter on the Pod, with little jitter.
func (p *pod) report(m *monitor) (log *program.Output, stop func()) {
	p.t.Helper()
	c, err := kube.NewClient(&rest.Config{Host: p.url, BearerTokenFile: p.tokenFile})
	if err != nil {
		p.t.Fatal(err)
	}
	log = new(program.Output)
	return log, start(p.t, kube.NewReporter(kube.Options{
		Client: c, Updates: m.updates, Log: slog.New(slog.NewTextHandler(log, nil)), Jitter: 100 * time.Millisecond,
		Pod: client.ObjectKeyFromObject(p.Pod), UID: p.UID,
	}))
}

// condition returns the Pod's condition of that type, or its zero value.
func (p *pod) condition(kind corev1.PodConditionType) corev1.PodCondition {
	p.t.Helper()
	var now corev1.Pod
	if err := p.cluster.admin.Get(p.t.Context(), client.ObjectKeyFromObject(p.Pod), &now); err != nil {
		p.t.Fatal(err)
	}
	i := slices.IndexFunc(now.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		return corev1.PodCondition{}
	}
	return now.Status.Conditions[i]
}

// await waits until the condition has that reason.
func (p *pod) await(reason string) corev1.PodCondition {
	p.t.Helper()
	var c corev1.PodCondition
	poll.Until(p.t, "the reason "+reason, func() bool {
		c = p.condition(kube.ConditionType)
		return c.Reason == reason
	})
	return c
}

// events are the ones that kubectl describe shows: selected by the Pod's UID.
func (p *pod) events() []corev1.Event {
	p.t.Helper()
	var all corev1.EventList
	err := p.cluster.admin.List(p.t.Context(), &all, client.InNamespace(p.Namespace),
		client.MatchingFields{"involvedObject.uid": string(p.UID), "involvedObject.name": p.Name, "involvedObject.kind": "Pod"})
	if err != nil {
		p.t.Fatal(err)
	}
	return all.Items
}
