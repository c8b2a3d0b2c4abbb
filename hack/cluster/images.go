package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/reims/reims-health/test/servers/install"
)

const pauseImage = "localhost/pause:1" // config/containerd.toml names it too

// importImages loads archives of images, OCI's or Docker's, into the node.
func importImages(ctx context.Context, files ...string) error {
	if _, err := readState(); err != nil {
		return err
	}
	for _, file := range files {
		if out, err := ctr(ctx, "images", "import", file); err != nil {
			return fmt.Errorf("import %s: %w: %s", file, err, out)
		}
	}
	return nil
}

// importPause loads the image of the Pods' sandboxes, as soon as containerd answers.
func importPause(ctx context.Context) error {
	dir, err := os.MkdirTemp("", clusterName)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	archive, err := packPause(ctx, dir)
	if err != nil {
		return fmt.Errorf("make the image %s: %w", pauseImage, err)
	}
	if err := awaitContainerd(ctx); err != nil {
		return err
	}
	return importImages(ctx, archive)
}

// packPause builds what the sandboxes run, and packs it into an archive in dir.
func packPause(ctx context.Context, dir string) (archive string, err error) {
	root, err := install.Root()
	if err != nil {
		return "", err
	}
	binary, archive := filepath.Join(dir, "pause"), filepath.Join(dir, "pause.oci.tar")
	if err := golang(ctx, root, "build", "-trimpath", "-o", binary, "./hack/cluster/pause"); err != nil {
		return "", err
	}
	return archive, golang(ctx, filepath.Join(root, "hack", "image"),
		"run", ".", "-binary", binary, "-name", pauseImage, "-out", archive)
}

func golang(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w:\n%s", args[0], err, out)
	}
	return nil
}

func awaitContainerd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	tick := time.NewTicker(bootPeriod)
	defer tick.Stop()
	for {
		if _, err := readState(); err != nil {
			return fmt.Errorf("the node has ended:\n%s", nodeLog())
		}
		out, err := ctr(ctx, "version")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for containerd: %w: %s", err, out), ctx.Err())
		}
	}
}

func ctr(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"--address", containerSocket, "--namespace", "k8s.io"}, args...)
	return exec.CommandContext(ctx, "ctr", args...).CombinedOutput()
}
