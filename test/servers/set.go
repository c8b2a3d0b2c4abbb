package servers

import (
	"context"
	"path/filepath"
	"slices"
)

// Server is what all servers have in common; each is a [Process].
type Server interface {
	// Name is also the server's key in messages and folders, such as "redis".
	Name() string
	// Endpoint is the server's URL without a password.
	Endpoint() string
	// Env holds the variables by which the product reaches the server.
	Env() []Var
	// Start and Close are those of [Process].
	Start(context.Context) error
	Close() error
	// Instance identifies the run.
	Instance() Instance
	LogTail() string
}

// NewSet prepares the four servers that the product needs, PostgreSQL, Redis,
// MinIO and Ollama, each in a folder of its own below o.Dir. Nothing is installed,
// built or started: Env is known, and each can be started on its own.
func NewSet(o Options) ([]Server, error) {
	in := func(name string) Options {
		o := o
		o.Dir = filepath.Join(o.Dir, name)
		return o
	}
	postgres, err := NewPostgres(PostgresOptions{Options: in("postgres")})
	if err != nil {
		return nil, err
	}
	redis, err := NewRedis(RedisOptions{Options: in("redis")})
	if err != nil {
		return nil, err
	}
	minio, err := NewMinIO(MinIOOptions{Options: in("minio")})
	if err != nil {
		return nil, err
	}
	ollama, err := NewOllama(OllamaOptions{Options: in("ollama")})
	if err != nil {
		return nil, err
	}
	return []Server{postgres, redis, minio, ollama}, nil
}

// InstallAll installs and builds all that the servers of this package need, so
// that from then on each starts in a second or so.
func InstallAll(ctx context.Context, o Options) error {
	packages := slices.Concat([]Package{
		postgresPackage, redisPackage, pgbouncerPackage, etcdPackage, prometheusPackage, alertmanagerPackage,
	}, ollamaTool.needs, chromiumPackages)
	if err := Install(ctx, o, packages...); err != nil {
		return err
	}
	if _, err := FetchPostgres(ctx, o); err != nil {
		return err
	}
	// One after the other: each build takes all processors.
	if _, err := BuildMinIO(ctx, o); err != nil {
		return err
	}
	if _, err := BuildOllama(ctx, o); err != nil {
		return err
	}
	_, err := BuildKubernetes(ctx, o, "kube-apiserver")
	return err
}
