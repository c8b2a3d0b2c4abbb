package grpc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	grpckind "github.com/reims/reims-health/pkg/dependency/grpc"
	"github.com/reims/reims-health/test/checking"
)

// load reads the configuration of a service billing of this kind.
func load(environ ...string) (*config.Config, error) {
	kinds := dependency.Kinds{grpckind.Kind()}
	c, _, err := config.Load(config.Options{Named: kinds.Named, Environ: append(environ, "HEALTH_SERVICES=billing")})
	return c, err
}

func TestGRPCConfigurationProblems(t *testing.T) {
	t.Parallel()
	for check, want := range map[string]string{
		"grpc://billing":                "BILLING_CHECK: the URL has no port: give grpc://billing:PORT",
		"grpcs://billing/svc":           "BILLING_CHECK: the URL has no port: give grpcs://billing:PORT",
		"grpc://a:1,b:2":                "BILLING_CHECK: the URL has 2 hosts: grpc takes one",
		"grpc://canary@billing:50051":   "BILLING_CHECK: the URL has a user: grpc takes none",
		"grpc://billing:50051/a?canary": "BILLING_CHECK: the URL has a query: grpc takes none",
		"grpc://billing:50051/%ff":      "BILLING_CHECK: the name of the service in the URL is not well escaped",
		"grpc://billing:50051/":         "BILLING_CA_FILE: has no effect: the scheme of BILLING_CHECK is not grpcs",
	} {
		_, err := load("BILLING_CHECK="+check, "BILLING_CA_FILE=/ca.crt")
		if err == nil {
			t.Errorf("%s: nothing is wrong", check)
			continue
		}
		_, got, _ := strings.Cut(err.Error(), "\n  ")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", check, diff)
		}
	}
}

// The service that the server is asked for is what follows the host and a slash.
func TestGRPCServiceOfTheURL(t *testing.T) {
	t.Parallel()
	s := serve(t, anyPort, nil)
	for _, path := range []string{"", "/", "/my.package.Service", "/caf%C3%A9", "/a/b"} {
		c, err := load("BILLING_CHECK=grpc://" + s.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		service, err := c.Service("billing")
		if err != nil {
			t.Fatal(err)
		}
		settings, ok := service.Settings.(dependency.Settings)
		if !ok {
			t.Fatalf("settings are %T", service.Settings)
		}
		checker, err := dependency.Open(settings, dependency.Instance{Prefix: "BILLING_", Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(strings.TrimPrefix(path, "/"), "%C3%A9", "é", 1)
		if name != "" {
			checking.Fails(t, checker, grpckind.ReasonNotServing) // not known yet
		}
		s.SetServingStatus(name, 1)
		checking.Healthy(t, checker)
		if err := checker.Close(); err != nil {
			t.Error(err)
		}
	}
}
