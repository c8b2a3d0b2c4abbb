//go:build e2e

package cluster_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/reims/reims-health/test/servers"
)

// TestProfile installs the values that the README has for any application, of which only
// images, addresses and the lack of TLS are others here. Then the HTTP dependency dies.
func TestProfile(t *testing.T) {
	t.Parallel()
	s := begin(t)
	server := servers.RunPostgres(t, servers.PostgresOptions{Options: servers.Options{Host: env.host}})
	r := servers.RunRedis(t, servers.RedisOptions{Options: servers.Options{Host: env.host}})
	billing, stop := runHTTP(t)
	password := rand.Text()
	for _, statement := range []string{fmt.Sprintf("CREATE ROLE shop_health LOGIN PASSWORD '%s'", password), "CREATE DATABASE shop"} {
		if err := server.SQL(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-health"},
		StringData: map[string]string{"password": password, "redis-password": r.Password},
	})
	i := &installation{
		release: &release{scenario: s, name: releaseName, chart: chartDir, helm: env.helm4, values: profile(t)},
		redis:   r,
	}
	i.set("image", imageValues("e2e"))
	i.set("api", map[string]any{"image": apiValues()["image"], "args": []string{"-addr=:8080"}})
	i.set("database", map[string]any{"host": server.Host(), "port": server.Port()})
	i.set("redis", map[string]any{"host": r.Host(), "port": r.Port()})
	i.set("services", map[string]any{"billing": map[string]any{"check": "http://" + billing + "/healthz"}})
	i.values["environment"] = "development"

	began := time.Now()
	took := timed(func() { i.run("install", "--wait", "--timeout", "3m") })
	steps.took(t, "the README's values for any application: helm install --wait", took, installed)
	i.pods.await(began, settle, "both Pods are ready", readyPods(2))
	i.endpoints.await(began, settle, "the Service has both Pods", serving(releaseName, 2))
	i.overall("healthy")
	out, err := i.try("test", "--logs", "--timeout", "2m")
	if err != nil {
		t.Logf("%v\n%s", err, out)
	}
	steps.holds(t, "any application: helm test", exits(err, 0))
	i.notes()
	steps.holds(t, "any application: tables in its database", count(tables(t, server, "shop"), 0, "tables"))

	from := time.Now()
	stop()
	_, told := i.says("billing", "unhealthy")
	steps.says(t, "any application: its HTTP dependency dies, until each /health says so", told.Sub(from).Round(time.Second).String())
	i.overall("degraded")
	steps.holds(t, "any application: Pods stay ready while its HTTP dependency is down",
		i.pods.always(from, "Pods", readyPods(2)), i.undisturbed(from))
}

var profileBlock = regexp.MustCompile("(?s)\n## For any application\n.*?```yaml\n(.*?)```")

// profile returns the values that the README has for any application.
func profile(t testing.TB) map[string]any {
	t.Helper()
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := profileBlock.FindSubmatch(page)
	if found == nil {
		t.Fatal("the README has no values for any application")
	}
	var values map[string]any
	if err := yaml.Unmarshal(found[1], &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// runHTTP starts a server that says 200, where Pods reach it, and returns its address.
func runHTTP(t testing.TB) (addr string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(env.host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	stop = func() {
		_ = server.Close() // twice does no harm
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String(), stop
}

// tables counts those in a database that are not PostgreSQL's own.
func tables(t testing.TB, server *servers.Postgres, database string) (n int) {
	t.Helper()
	config, err := pgx.ParseConfig(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.Database = database
	ctx := t.Context()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const query = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
	if err := conn.QueryRow(ctx, query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
