package servers_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// quick bounds what must answer at once; frozen is how long silence is proof.
const (
	quick  = 10 * time.Second
	frozen = 300 * time.Millisecond
)

// faulty is a server that can be disturbed.
type faulty interface {
	servers.Server
	Stop() error
	Kill() error
	Freeze() error
	Thaw() error
	Running() bool
	Addr() string
	Dir() string
}

// testFaults takes a running server through every fault. answer is a real
// request; it must fail exactly while the server is disturbed.
func testFaults(t *testing.T, s faulty, answer func(context.Context) error) {
	t.Helper()
	address := s.Addr()
	steps := []struct {
		name string
		do   func() error
		up   bool
	}{
		{"first start", func() error { return nil }, true},
		{"freeze", s.Freeze, false},
		{"thaw", s.Thaw, true},
		{"kill", s.Kill, false},
		{"start after kill", func() error { return s.Start(t.Context()) }, true},
		{"stop", s.Stop, false},
		{"stop again", s.Stop, false},
		{"start after stop", func() error { return s.Start(t.Context()) }, true},
		{"freeze to stop", s.Freeze, false},
		{"stop frozen", s.Stop, false},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		limit := frozen
		if step.up {
			limit = quick
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := answer(ctx)
		cancel()
		if (err == nil) != step.up {
			t.Fatalf("%s: answer: %v, want one: %t", step.name, err, step.up)
		}
	}
	if s.Addr() != address {
		t.Errorf("address %s became %s", address, s.Addr())
	}
	if left := processesOf(t, s.Dir()); len(left) > 0 {
		t.Errorf("left after stop: %q", left)
	}
}

// processesOf returns the command lines of living processes that work in dir or
// name it: servers and all that they spawn do.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		// The dead and the threads of the kernel have no command line.
		line, err := os.ReadFile(path + "/cmdline")
		if err != nil || len(line) == 0 {
			continue
		}
		cwd, _ := os.Readlink(path + "/cwd")
		if strings.HasPrefix(cwd, dir) || strings.Contains(string(line), dir) {
			found = append(found, fmt.Sprintf("%s %s", filepath.Base(path), line))
		}
	}
	return found
}

func TestProcessesOfSeesAServer(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	if len(processesOf(t, r.Dir())) == 0 {
		t.Error("a running server is not seen: the check for leftovers can't fail")
	}
}

func TestServersListenOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	running := []faulty{
		servers.RunPostgres(t, servers.PostgresOptions{}),
		servers.RunRedis(t, servers.RedisOptions{}),
		servers.RunMinIO(t, servers.MinIOOptions{}),
		servers.RunOllama(t, servers.OllamaOptions{}),
		servers.RunPrometheus(t, servers.PrometheusOptions{}),
		servers.RunAlertmanager(t, servers.AlertmanagerOptions{
			Config: []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]"),
		}),
	}
	others := otherAddresses(t)
	for _, s := range running {
		_, port, err := net.SplitHostPort(s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		for _, ip := range others {
			conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), frozen)
			if err == nil {
				conn.Close()
				t.Errorf("%s answers on %s", s.Name(), ip)
			}
		}
	}
}

func TestServersListenOnTheHostGiven(t *testing.T) {
	t.Parallel()
	o := servers.Options{Host: "127.0.0.2"}
	running := []faulty{
		servers.RunPostgres(t, servers.PostgresOptions{Options: o}),
		servers.RunRedis(t, servers.RedisOptions{Options: o}),
		servers.RunMinIO(t, servers.MinIOOptions{Options: o}),
		servers.RunOllama(t, servers.OllamaOptions{Options: o}),
	}
	for _, s := range running {
		host, port, err := net.SplitHostPort(s.Addr())
		if err != nil || host != o.Host {
			t.Fatalf("%s is at %q, want it on %s (%v)", s.Name(), s.Addr(), o.Host, err)
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.3", port), frozen)
		if err == nil {
			conn.Close()
			t.Errorf("%s answers on every address", s.Name())
		}
	}
}

// otherAddresses returns this machine's addresses that a server must not answer
// on. 127.0.0.2 makes sure that there is one, and shows whether a server listens
// on all. ::1 is not among them: MinIO takes it along with 127.0.0.1.
func otherAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	ips := []string{"127.0.0.2"}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			ips = append(ips, ip.IP.String())
		}
	}
	return ips
}
