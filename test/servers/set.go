package servers

import (
	"context"
	"path/filepath"

	"github.com/reims/reims-health/test/servers/install"
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

// Root returns the folder of the product's go.mod, from the current folder up.
func Root() (string, error) { return install.Root() }
