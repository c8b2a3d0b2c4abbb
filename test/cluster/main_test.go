//go:build e2e

package cluster_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	// The tests here wait far more than they compute, so that several run at the same time:
	// more than these and two processors start containers too slowly for the probes. The
	// command line wins.
	_ = flag.Set("test.parallel", "6")
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" { // takes no cluster
		os.Exit(m.Run())
	}
	code, err := prepare(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// prepare starts what all tests share, runs them, and shows the table of steps.
func prepare(run func() int) (code int, err error) {
	if err := os.MkdirAll(env.out, 0o755); err != nil {
		return 0, err
	}
	if kube, err = connect(env.kubeconfig); err != nil {
		return 0, err
	}
	if err := preflight(context.Background()); err != nil {
		return 0, err
	}
	if err := bystanders.start(); err != nil {
		return 0, errors.Join(err, bystanders.close())
	}
	code = run()
	return code, errors.Join(steps.write(os.Stdout, env.out), bystanders.close())
}
