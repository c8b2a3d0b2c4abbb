package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/reims/reims-health/test/servers"
)

// programs are Kubernetes' own; what else the node runs are Debian packages.
var programs = []string{
	"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
}

// build installs and builds what the node needs: the first time, that takes a quarter
// of an hour on two cores.
func build(ctx context.Context, out io.Writer) error {
	if _, err := prepare(ctx, out); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", clusterName)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err = packPause(ctx, dir) // up makes it anew, and then has its modules
	return err
}

// prepare returns the folder of Kubernetes' programs.
func prepare(ctx context.Context, out io.Writer) (dir string, err error) {
	o := servers.Options{Progress: func(line string) { fmt.Fprintln(out, line) }}
	if err := servers.InstallNode(ctx, o); err != nil {
		return "", err
	}
	return servers.BuildKubernetes(ctx, o, programs...)
}
