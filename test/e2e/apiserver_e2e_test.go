//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// told is within how long of a verdict the Pod says so.
const told = 5 * time.Second

// The program reports on its Pod as it does in one: by the token that is mounted at
// the usual place. What is wrong is told in time, an API server that hangs is noticed
// by nobody, and on exit the condition is Unknown.
func TestAPIServerIsToldOfThePod(t *testing.T) {
	t.Parallel()
	k := servers.RunKubernetes(t)
	pod := newReportedPod(t, k)
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := launchProgram(t, pod.inside("serve"), pod.env(k, with(pg.Env(), "HEALTH_SERVICES", "database"))...)
	s.secrets.add("the token", pod.token)
	s.await("/health/ready", confirmed, isOK)
	pod.await("True", "DependenciesHealthy", told+slack)

	must(t, pg.Kill())
	s.awaitService("database", "unhealthy", "refused", confirmed)
	pod.await("False", "DatabaseRefused", told+slack)
	if !poll.Poll(t.Context(), slack, func() bool {
		return pod.says("DependencyUnhealthy", "database is unhealthy: the connection was refused")
	}) {
		t.Errorf("no such Event among %+v", pod.events())
	}

	must(t, k.Freeze())
	must(t, pg.Start(t.Context()))
	s.awaitService("database", "healthy", "", confirmed)
	if !poll.Poll(t.Context(), 20*time.Second, func() bool { return strings.Contains(s.Log(), "pod reporting fails") }) {
		t.Error("the log does not tell that the API server hangs")
	}
	s.await("/health/ready", slack, isOK)
	must(t, k.Thaw())
	pod.await("True", "DependenciesHealthy", 30*time.Second)

	s.stop()
	pod.await("Unknown", "SidecarStopped", slack)
}

// While the API server hangs, the exit stays within its five seconds, and is in order.
func TestExitWhileTheAPIServerHangs(t *testing.T) {
	t.Parallel()
	k := servers.RunKubernetes(t)
	pod := newReportedPod(t, k)
	s := launchProgram(t, pod.inside("serve"), pod.env(k, with(nowhere(t), "HEALTH_SERVICES", "redis"))...)
	pod.await("False", "RedisRefused", confirmed+told)
	must(t, k.Freeze())
	begin := time.Now()
	s.Signal(syscall.SIGTERM)
	<-s.Exited()
	if d := time.Since(begin); d > 5*time.Second || s.Wait() != nil {
		t.Errorf("the exit took %s: %v\n%s", d, s.Wait(), s.Log())
	}
	if strings.Contains(s.Log(), "shutdown incomplete") {
		t.Error(s.Log())
	}
}

// The memory that is promised with reporting on, and all four services.
func TestMemoryWithAnAPIServer(t *testing.T) {
	t.Parallel()
	k := servers.RunKubernetes(t)
	pod := newReportedPod(t, k)
	vars := with(asShipped(bystanders.env(t)), "LOG_LEVEL", "info")
	s := launchProgram(t, pod.inside("serve"), pod.env(k, vars)...)
	t.Cleanup(s.stop)
	pod.await("True", "DependenciesHealthy", confirmed+told)
	poll.Poll(t.Context(), 35*time.Second, func() bool { return false }) // beyond 30 s, libraries complain of a missing logger
	if mb := statusBytes(t, s.PID(), "VmRSS") / megabyte; mb > 36 {
		t.Errorf("%.1f MB are resident, more than 36", mb)
	} else {
		t.Logf("%.1f MB are resident", mb)
	}
	for line := range strings.Lines(s.Log()) {
		if !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("printed past the logger: %s", line)
		}
	}
}

// reportedPod is a Pod that never runs, and the way of the program to its own part of
// the API.
type reportedPod struct {
	t     *testing.T
	admin client.Client
	*corev1.Pod
	token string
	dir   string // as Kubernetes mounts it
}

func newReportedPod(t *testing.T, k *servers.Kubernetes) *reportedPod {
	t.Helper()
	admin, err := client.New(&rest.Config{
		Host: k.Endpoint(), BearerToken: k.Token, TLSClientConfig: rest.TLSClientConfig{CAFile: k.CAFile()},
	}, client.Options{})
	must(t, err)
	meta := metav1.ObjectMeta{Namespace: "default", Name: "api-0"}
	pod := &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "api", Image: "none"}}}}
	account := &corev1.ServiceAccount{ObjectMeta: meta}
	for _, o := range []client.Object{
		pod, account,
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"patch"}},
			{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: meta.Namespace, Name: meta.Name}},
		},
	} {
		must(t, admin.Create(t.Context(), o))
	}
	request := &authenticationv1.TokenRequest{}
	must(t, admin.SubResource("token").Create(t.Context(), account, request))
	p := &reportedPod{t: t, admin: admin, Pod: pod, token: request.Status.Token, dir: t.TempDir()}
	authority, err := os.ReadFile(k.CAFile())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "ca.crt"), authority, 0o600))
	must(t, os.WriteFile(filepath.Join(p.dir, "token"), []byte(p.token), 0o600))
	return p
}

// inside is the command that runs the program where the token is mounted as in a Pod:
// in a mount namespace of its own, with a /run that nobody else sees.
func (p *reportedPod) inside(args ...string) []string {
	const script = `mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io &&
		ln -s "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"`
	command := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		command = append(command, "--map-root-user")
	}
	return slices.Concat(command, []string{"sh", "-c", script, p.dir, binary}, args)
}

func (p *reportedPod) env(k *servers.Kubernetes, vars []servers.Var) []servers.Var {
	vars = with(with(reporting(vars), "POD_NAMESPACE", p.Namespace), "POD_UID", string(p.UID))
	return slices.Concat(vars, k.Env())
}

func (p *reportedPod) await(status corev1.ConditionStatus, reason string, within time.Duration) {
	p.t.Helper()
	var now corev1.Pod
	ok := poll.Poll(p.t.Context(), within, func() bool {
		must(p.t, p.admin.Get(p.t.Context(), client.ObjectKeyFromObject(p.Pod), &now))
		return slices.ContainsFunc(now.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == "reims.io/DependenciesHealthy" && c.Status == status && c.Reason == reason
		})
	})
	if !ok {
		p.t.Fatalf("the condition is not %s %s after %s: %+v", status, reason, within, now.Status.Conditions)
	}
}

func (p *reportedPod) events() []corev1.Event {
	p.t.Helper()
	var all corev1.EventList
	must(p.t, p.admin.List(p.t.Context(), &all, client.MatchingFields{"involvedObject.uid": string(p.UID)}))
	return all.Items
}

func (p *reportedPod) says(reason, message string) bool {
	return slices.ContainsFunc(p.events(), func(e corev1.Event) bool {
		return e.Reason == reason && strings.Contains(e.Message, message)
	})
}
