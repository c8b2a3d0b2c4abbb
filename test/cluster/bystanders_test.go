//go:build e2e

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reims/reims-health/test/servers"
)

var bystanders sharedServers

// sharedServers are those that no scenario disturbs.
type sharedServers struct {
	dir    string
	minio  *servers.MinIO
	ollama *servers.Ollama
}

func (s *sharedServers) start() (err error) {
	if s.dir, err = os.MkdirTemp("", "reims-health-cluster-"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil { // PostgreSQL runs as another user
		return err
	}
	if s.minio, err = servers.NewMinIO(servers.MinIOOptions{Options: s.options("minio")}); err != nil {
		return err
	}
	if s.ollama, err = servers.NewOllama(servers.OllamaOptions{Options: s.options("ollama")}); err != nil {
		return err
	}
	ctx := context.Background()
	return errors.Join(s.minio.Start(ctx), s.ollama.Start(ctx))
}

// options let a server listen where Pods reach it.
func (s *sharedServers) options(name string) servers.Options {
	progress := func(line string) { fmt.Fprintln(os.Stderr, line) }
	return servers.Options{Dir: filepath.Join(s.dir, name), Host: env.host, Progress: progress}
}

func (s *sharedServers) close() error {
	var errs []error
	if s.minio != nil {
		errs = append(errs, s.minio.Close())
	}
	if s.ollama != nil {
		errs = append(errs, s.ollama.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
