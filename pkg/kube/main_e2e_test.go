//go:build e2e

package kube_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is the API server of the tests that do not disturb it. It starts with the
// first of them.
var shared sharedCluster

type sharedCluster struct {
	once       sync.Once
	kubernetes *servers.Kubernetes
	dir        string
	err        error
}

func (s *sharedCluster) get(t *testing.T) *cluster {
	t.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "reims-kube-"); s.err != nil {
			return
		}
		o := servers.Options{Dir: s.dir, Progress: func(line string) { t.Log(line) }}
		if s.kubernetes, s.err = servers.NewKubernetes(o); s.err == nil {
			s.err = s.kubernetes.Start(context.Background())
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return clusterOf(t, s.kubernetes)
}

func (s *sharedCluster) close() error {
	if s.kubernetes == nil {
		return nil
	}
	return errors.Join(s.kubernetes.Close(), os.RemoveAll(s.dir))
}
