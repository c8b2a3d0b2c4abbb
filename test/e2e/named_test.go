package e2e_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

// TestNamedServices has a second PostgreSQL, a Redis and an S3 by names of their own beside the
// database, and stops the second PostgreSQL: whatever names services follows.
func TestNamedServices(t *testing.T) {
	t.Parallel()
	first := servers.RunPostgres(t, servers.PostgresOptions{})
	second := servers.RunPostgres(t, servers.PostgresOptions{})
	redis := servers.RunRedis(t, servers.RedisOptions{})
	minio := servers.RunMinIO(t, servers.MinIOOptions{})
	vars := append(first.Env(), minioAs("ORDER_FILES", minio.Env())...)
	for name, value := range map[string]string{
		"HEALTH_SERVICES":     "orders,cache,order-files,database",
		"CACHE_CHECK":         "redis://" + net.JoinHostPort(redis.Host(), strconv.Itoa(redis.Port())),
		"CACHE_PASSWORD":      redis.Password,
		"ORDERS_CHECK":        "postgres://" + second.User + "@" + net.JoinHostPort(second.Host(), strconv.Itoa(second.Port())) + "/" + second.Database,
		"ORDERS_PASSWORD":     second.Password,
		"ORDERS_READINESS":    "strict",
		"ORDERS_SHARED_FAULT": "hold",
	} {
		vars = with(vars, name, value)
	}
	for _, prefix := range []string{"ORDERS", "CACHE", "ORDER_FILES"} {
		vars = with(with(vars, prefix+"_PROBE_INTERVAL", interval.String()), prefix+"_PROBE_TIMEOUT", timeout.String())
	}
	s := startSidecar(t, vars...)
	s.await("/health", confirmed, func(a answer) bool { return a.healthy("orders", "cache", "order-files", "database") })
	for _, path := range []string{"/health/orders", "/health/order-files", "/health/database", "/health/ready", "/"} {
		if a := s.get(path); a.code != 200 {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if a := s.get("/health/nosuch"); a.code != 404 || !strings.Contains(a.body, `"/health/orders","/health/cache","/health/order-files","/health/database"`) {
		t.Errorf("an unknown service: %d %s", a.code, a.body)
	}
	if a := s.get("/"); !strings.Contains(a.body, ">Order files<") || !strings.Contains(a.body, "postgres://"+second.Host()) {
		t.Errorf("the page says nothing of the services:\n%s", a.body)
	}
	must(t, second.Kill())
	s.awaitService("orders", "unhealthy", "refused", confirmed)
	s.await("/health/ready", confirmed, func(a answer) bool { return a.code == 503 && strings.Contains(a.body, `"orders"`) })
	if a := s.get("/health/orders"); a.code != 503 || !strings.Contains(a.body, "ORDERS_CHECK") || strings.Contains(a.body, "ORDERS_HOST") {
		t.Errorf("/health/orders: %d %s, want advice on ORDERS_CHECK", a.code, a.body)
	}
	for _, path := range []string{"/health/order-files", "/health/database"} {
		if a := s.get(path); a.code != 200 {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if a := s.get("/health?verbose"); !strings.Contains(a.body, "[-]orders failed: refused") || !strings.Contains(a.body, "[+]order-files ok") {
		t.Errorf("/health?verbose: %s", a.body)
	}
	if a := s.get("/health/history?service=orders"); a.code != 200 || !strings.Contains(a.body, `"reason":"refused"`) {
		t.Errorf("history: %d %s", a.code, a.body)
	}
	all := s.scrape()
	all.want(t, `reims_health_up{service="orders"}`, 0)
	all.want(t, `reims_health_up{service="order-files"}`, 1)
	all.want(t, `reims_health_redis_memory_bytes{kind="max",service="cache"}`, 0)
	all.want(t, `reims_health_db_connections{kind="max",service="database"}`, 100)
	if n := all.sum("reims_health_db_connections", `service="orders"`); n != 0 {
		t.Errorf("%v connections of a server that is down", n)
	}
	address := strings.TrimPrefix(s.health, "http://")
	code, stdout, stderr := runProgram(t, []servers.Var{{Name: "HEALTH_ADDR", Value: address}}, "check")
	if code != 1 || !strings.Contains(stdout, "FAIL  orders is unhealthy") {
		t.Errorf("check exits with %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = runProgram(t, []servers.Var{{Name: "HEALTH_ADDR", Value: address}}, "check", "endpoints")
	if code != 1 || !strings.Contains(stdout, "GET /health/order-files") || !strings.Contains(stdout, "FAIL      GET /health/orders") {
		t.Errorf("check exits with %d\n%s%s", code, stdout, stderr)
	}
	must(t, second.Start(t.Context()))
	s.awaitService("orders", "healthy", "", confirmed)
	s.await("/health/ready", confirmed, isOK)
	s.scrape().want(t, `reims_health_db_connections{kind="max",service="orders"}`, 100)
	code, stdout, stderr = runProgram(t, []servers.Var{{Name: "HEALTH_ADDR", Value: address}}, "check")
	if code != 0 {
		t.Errorf("check exits with %d\n%s%s", code, stdout, stderr)
	}
	if log := s.Log(); !strings.Contains(log, `"service":"orders"`) {
		t.Error("the log says nothing of orders")
	}
}

// minioAs are a MinIO's variables as those of a service with a NAME_CHECK.
func minioAs(prefix string, env []servers.Var) []servers.Var {
	var vars []servers.Var
	for _, v := range env {
		switch v.Name {
		case "MINIO_ENDPOINT":
			vars = append(vars, servers.Var{Name: prefix + "_CHECK", Value: "s3://" + v.Value})
		case "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY":
			vars = append(vars, servers.Var{Name: strings.Replace(v.Name, "MINIO", prefix, 1), Value: v.Value})
		}
	}
	return slices.Clip(vars)
}
