package e2e_test

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/servers"
)

// everyKind is a sidecar's environment with a service by each scheme, on real servers. The
// names of the services are in the order of HEALTH_SERVICES.
func everyKind(t testing.TB) (vars []servers.Var, names []string) {
	t.Helper()
	vars = bystanders.env(t)
	names = slices.Clone(services)
	of := func(variable string) string {
		for _, v := range vars {
			if v.Name == variable {
				return v.Value
			}
		}
		t.Fatalf("the shared servers have no %s", variable)
		return ""
	}
	name := func(name, check string, settings ...string) {
		names = append(names, name)
		prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_"
		vars = with(with(vars, prefix+"CHECK", check), prefix+"PROBE_TIMEOUT", "10s")
		for _, setting := range settings {
			key, value, _ := strings.Cut(setting, "=")
			vars = with(vars, prefix+key, value)
		}
	}
	database := net.JoinHostPort(of("DATABASE_HOST"), of("DATABASE_PORT"))
	name("orders", "postgres://"+of("DATABASE_USER")+"@"+database+"/"+of("DATABASE_NAME")+"?sslmode=disable", "PASSWORD="+of("DATABASE_PASSWORD"))
	name("cache", "redis://"+net.JoinHostPort(of("REDIS_HOST"), of("REDIS_PORT"))+"/1", "PASSWORD="+of("REDIS_PASSWORD"))
	master, _, sentinels := servers.RunSentinels(t, 3, servers.SentinelOptions{Quorum: 2})
	var addresses []string
	for _, s := range sentinels {
		addresses = append(addresses, s.Addr())
	}
	name("sessions", "redis+sentinel://"+strings.Join(addresses, ",")+"/"+servers.SentinelName, "PASSWORD="+master.Password)
	name("files", "s3://"+of("MINIO_ENDPOINT"), "ACCESS_KEY="+of("MINIO_ACCESS_KEY"), "SECRET_KEY="+of("MINIO_SECRET_KEY"))
	name("models", "ollama://"+net.JoinHostPort(of("OLLAMA_HOST"), of("OLLAMA_PORT")))
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"UP"}`) })
	plain, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	name("search", plain.URL+"/health", "EXPECT_STATUS=200", `EXPECT_BODY="status":"UP"`)
	name("billing-api", secure.URL+"/health", "CA_FILE="+authority)
	name("gateway", "tls://"+secure.Listener.Addr().String(), "CA_FILE="+authority)
	name("queue", "tcp://"+plain.Listener.Addr().String())
	name("pricing", "grpc://"+serveGRPCHealth(t)+"/pricing.v1")
	return with(vars, "HEALTH_SERVICES", strings.Join(names, ",")), names
}

// serveGRPCHealth starts a gRPC server with the standard health service, which says that
// pricing.v1 serves.
func serveGRPCHealth(t testing.TB) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	statuses := health.NewServer()
	statuses.SetServingStatus("pricing.v1", grpc_health_v1.HealthCheckResponse_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, statuses)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// One sidecar with services of every kind there is, all of them well.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	vars, names := everyKind(t)
	schemes := make(map[string]bool)
	for _, v := range vars {
		if scheme, _, ok := strings.Cut(v.Value, "://"); ok && strings.HasSuffix(v.Name, "_CHECK") {
			schemes[scheme] = true
		}
	}
	for _, k := range registry.Kinds() {
		if !slices.ContainsFunc(k.Schemes, func(s dependency.Scheme) bool { return schemes[s.Name] }) {
			t.Errorf("no service is of the kind %s", k.Name)
		}
	}
	s := startSidecar(t, vars...)
	s.await("/health", confirmed+slack, func(a answer) bool { return a.healthy(names...) })
	metrics := s.scrape()
	for _, name := range names {
		if a := s.get("/health/" + name); a.code != 200 || !strings.Contains(a.body, `"latency_ms"`) {
			t.Errorf("/health/%s: %d %s", name, a.code, a.body)
		}
		metrics.want(t, `reims_health_up{service="`+name+`"}`, 1)
	}
	code, stdout, stderr := runProgram(t, []servers.Var{{Name: "HEALTH_ADDR", Value: strings.TrimPrefix(s.health, "http://")}}, "check")
	if code != 0 {
		t.Errorf("check exits with %d\n%s%s", code, stdout, stderr)
	}
	if mb := statusBytes(t, s.PID(), "VmRSS") / megabyte; mb > 40 {
		t.Errorf("%.1f MB are resident with %d services, more than 40", mb, len(names))
	} else {
		t.Logf("%.1f MB are resident with %d services", mb, len(names))
	}
}
