//go:build e2e

package cluster_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// Names that the chart gives, with a release that is called as the chart is.
const (
	chartDir    = "../../charts/reims-health"
	releaseName = "reims-health"
	sidecarName = "reims-health"
	apiName     = "api"
	jobName     = "reims-health-migrate"
	secretName  = "reims-servers"
	healthPort  = 8008
)

// installation is the chart's release with servers of its own, and what its Pods say.
type installation struct {
	*release
	database *database
	redis    *servers.Redis
}

// prepared starts the servers and makes their Secret; nothing is installed yet. The
// values are the chart's defaults, except for where things are.
func prepared(s *scenario, replicas int) *installation {
	s.t.Helper()
	d := runDatabase(s.t)
	r := servers.RunRedis(s.t, servers.RedisOptions{Options: servers.Options{Host: env.host}})
	s.create(secretOf(d, r))
	values := map[string]any{
		"image":       imageValues("e2e"),
		"environment": "development", // no TLS to these servers
		"api":         apiValues(),
		"deployment":  map[string]any{"replicas": replicas},
		"database": map[string]any{
			"host": d.Host(), "port": d.Port(), "user": "reims_health",
			"existingSecret": secretName, "passwordKey": "health",
		},
		"redis": map[string]any{
			"host": r.Host(), "port": r.Port(), "existingSecret": secretName, "passwordKey": "redis",
		},
		"minio":  map[string]any{"endpoint": bystanders.minio.Addr(), "existingSecret": secretName},
		"ollama": map[string]any{"host": bystanders.ollama.Addr()},
		"migrations": map[string]any{"database": map[string]any{
			"user": "reims_migrator", "existingSecret": secretName, "passwordKey": "migrator",
		}},
	}
	return &installation{
		release:  &release{scenario: s, name: releaseName, chart: chartDir, helm: env.helm, values: values},
		database: d, redis: r,
	}
}

func secretOf(d *database, r *servers.Redis) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secretName},
		StringData: map[string]string{
			"health": d.healthPassword, "migrator": d.migratorPassword, "redis": r.Password,
			"access-key": bystanders.minio.AccessKey, "secret-key": bystanders.minio.SecretKey,
		},
	}
}

func imageValues(tag string) map[string]any {
	return map[string]any{"registry": "", "repository": env.image, "tag": tag}
}

func apiValues() map[string]any {
	repository, tag, _ := strings.Cut(env.apiImage, ":")
	// The API is a stand-in, and a busy machine starts and answers slowly: only a minute
	// without an answer restarts it.
	probe := func(period, failures int) map[string]any {
		return map[string]any{
			"httpGet":       map[string]any{"path": "/healthz", "port": apiPort},
			"periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures,
		}
	}
	return map[string]any{
		"image":        map[string]any{"repository": repository, "tag": tag},
		"startupProbe": probe(1, 60), "livenessProbe": probe(10, 6), "readinessProbe": probe(2, 3),
	}
}

// set changes values below one of the first level.
func (i *installation) set(section string, values map[string]any) {
	below, _ := i.values[section].(map[string]any)
	if below == nil {
		below = map[string]any{}
		i.values[section] = below
	}
	maps.Copy(below, values)
}

// app returns the Pods that have the sidecar, the oldest first.
func app(pods []*corev1.Pod) (found []*corev1.Pod) {
	for _, p := range pods {
		if sidecarOf(p).Name != "" {
			found = append(found, p)
		}
	}
	return found
}

func sidecarOf(p *corev1.Pod) corev1.Container {
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if c.Name == sidecarName {
			return c
		}
	}
	return corev1.Container{}
}

// readyPods returns a condition: n Pods of the API are there, and all are ready.
func readyPods(n int) func([]*corev1.Pod) bool {
	return func(pods []*corev1.Pod) bool {
		ready := 0
		for _, p := range app(pods) {
			if isReady(p) {
				ready++
			}
		}
		return ready == n && len(app(pods)) == n
	}
}

// answer is what /health of a Pod says; Status is empty while there is no answer.
type answer struct {
	Status   string            `json:"status"`
	Services map[string]string `json:"services"`
}

// health asks one Pod.
func (i *installation) health(p *corev1.Pod) answer {
	i.t.Helper()
	status, body, err := kube.fromPod(i.t.Context(), p, healthPort, "/health")
	if err != nil || status != 200 && !strings.HasPrefix(string(body), `{"success"`) {
		return answer{} // of the API server, which did not reach it
	}
	return decode[answer](i.t, body)
}

// overall holds what /health of each Pod says as a whole.
func (i *installation) overall(want string) {
	i.t.Helper()
	for _, p := range app(i.pods.now()) {
		if got := i.health(p).Status; got != want {
			i.t.Errorf("/health of %s is %q, want %q", p.Name, got, want)
		}
	}
}

// says waits until /health of each Pod calls a service by that status, and returns
// when that was.
func (i *installation) says(service, status string) (each map[types.UID]time.Time, last time.Time) {
	i.t.Helper()
	each = map[types.UID]time.Time{}
	poll.Within(i.t, 3*time.Minute, "each /health says "+service+" is "+status, func() bool {
		pods := app(i.pods.now())
		for _, p := range pods {
			if each[p.UID].IsZero() && i.health(p).Services[service] == status {
				each[p.UID] = time.Now()
			}
		}
		return len(pods) > 0 && len(each) >= len(pods)
	})
	return each, time.Now()
}

// undisturbed finds whether no Pod was replaced since then, and no container restarted.
func (i *installation) undisturbed(from time.Time) finding {
	i.t.Helper()
	states, _ := i.pods.since(from)
	before, now := tally(states[0].sorted()), tally(i.pods.now())
	diff := cmp.Diff(before, now)
	if diff != "" {
		i.t.Logf("Pods and restarts (-before +now):\n%s", diff)
	}
	kept, restarts := 0, int32(0)
	for name, count := range now {
		if was, ok := before[name]; ok {
			kept++
			restarts += count - was
		}
	}
	return finding{fmt.Sprintf("%d of %d containers kept, %d restarts", kept, len(before), restarts), diff == ""}
}

// restarted finds how often the sidecar and the API of the one Pod were restarted.
func (i *installation) restarted(pod *corev1.Pod, sidecar, api int32) finding {
	i.t.Helper()
	now := tally(i.pods.now())
	want := map[string]int32{pod.Name + " " + sidecarName: sidecar, pod.Name + " " + apiName: api}
	return finding{fmt.Sprintf("restarts: %v", now), cmp.Equal(now, want)}
}

// tally counts the restarts of each container of ours, by Pod.
func tally(pods []*corev1.Pod) map[string]int32 {
	count := map[string]int32{}
	for _, p := range app(pods) {
		for _, name := range []string{sidecarName, apiName} {
			count[p.Name+" "+name] = container(p, name).RestartCount
		}
	}
	return count
}

// totalRestarts counts those of all containers of ours together.
func totalRestarts(pods []*corev1.Pod) (sum int) {
	for _, n := range tally(pods) {
		sum += int(n)
	}
	return sum
}
