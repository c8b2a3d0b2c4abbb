package e2e_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

// bystanders are a server of each kind that all tests share, and none disturbs.
var bystanders crowd

type crowd struct {
	dir  string
	once sync.Once
	all  []servers.Server
	err  error
}

// env returns the variables that point the sidecar at the bystanders, with
// timeouts that a busy machine does not reach.
func (c *crowd) env(t testing.TB) []servers.Var {
	t.Helper()
	var vars []servers.Var
	for _, name := range prefixes {
		vars = with(vars, name+"_PROBE_TIMEOUT", "5s")
	}
	for _, server := range c.start(t) {
		vars = append(vars, server.Env()...)
	}
	return vars
}

// addr returns the address of one of them.
func (c *crowd) addr(t testing.TB, service string) string {
	t.Helper()
	for _, server := range c.start(t) {
		if p, ok := server.(interface{ Addr() string }); ok && serverNames[service] == server.Name() {
			return p.Addr()
		}
	}
	t.Fatalf("no server for %s", service)
	return ""
}

func (c *crowd) start(t testing.TB) []servers.Server {
	t.Helper()
	c.once.Do(func() {
		c.all, c.err = servers.NewSet(servers.Options{Dir: c.dir})
		errs := make([]error, len(c.all))
		var starting sync.WaitGroup
		for i, server := range c.all {
			starting.Go(func() { errs[i] = server.Start(t.Context()) })
		}
		starting.Wait()
		c.err = errors.Join(slices.Concat([]error{c.err}, errs)...)
	})
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.all
}

func (c *crowd) close() error {
	var errs []error
	for _, server := range c.all {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

var (
	services    = []string{"database", "redis", "minio", "ollama"}
	prefixes    = []string{"DATABASE", "REDIS", "MINIO", "OLLAMA"}
	serverNames = map[string]string{"database": "postgres", "redis": "redis", "minio": "minio", "ollama": "ollama"}
)

func with(vars []servers.Var, name, value string) []servers.Var {
	return append(slices.Clip(vars), servers.Var{Name: name, Value: value})
}
