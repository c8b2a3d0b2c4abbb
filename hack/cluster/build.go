package main

import (
	"context"
	"io"
	"os"

	"github.com/reims/reims-health/test/servers/install"
)

// build installs and builds what the node needs: the first time, that takes minutes.
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
	p := install.To(out)
	if err := install.Node(ctx, p); err != nil {
		return "", err
	}
	return install.Kubernetes(ctx, p)
}
