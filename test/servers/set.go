package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

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
	// Start, Stop, Freeze, Thaw and Close are those of [Process].
	Start(context.Context) error
	Stop() error
	Freeze() error
	Thaw() error
	Close() error
	// Instance identifies the run.
	Instance() Instance
	LogTail() string
}

// At returns the variables that lead to a service of the product, such as "redis", at another
// address.
func At(service, addr string) []Var {
	if service == "minio" {
		return []Var{{Name: "MINIO_ENDPOINT", Value: addr}}
	}
	host, port, _ := strings.Cut(addr, ":")
	prefix := strings.ToUpper(service)
	return []Var{{Name: prefix + "_HOST", Value: host}, {Name: prefix + "_PORT", Value: port}}
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

// UseDir calls use with a temporary folder that the servers can enter, and removes it.
func UseDir(use func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "reims-health-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // as root, PostgreSQL runs under an account of its own
		return err
	}
	return use(dir)
}

// UseSet calls use with a folder and the four servers of [NewSet], which run, and ends them.
func UseSet(ctx context.Context, progress func(line string), use func(dir string, set []Server) error) error {
	return UseDir(func(dir string) (err error) {
		set, err := NewSet(Options{Dir: dir, Progress: progress})
		if err != nil {
			return err
		}
		for _, s := range set {
			defer func() { err = errors.Join(err, s.Close()) }()
			if err := s.Start(ctx); err != nil {
				return err
			}
		}
		return use(dir, set)
	})
}

// Root returns the folder of the product's go.mod, from the current folder up.
func Root() (string, error) { return install.Root() }

// SidecarOptions say how to start the product.
type SidecarOptions struct {
	Options
	// Program is the path of the built binary.
	Program string
	// Vars are its variables, but for the two addresses.
	Vars []Var
}

// Sidecar is the product itself, as a process that can be killed, frozen and started
// again on the same addresses. Its own is that of the metrics.
type Sidecar struct {
	*Process
	health      int // port
	reservation io.Closer
}

// NewSidecar prepares a sidecar.
func NewSidecar(o SidecarOptions) (*Sidecar, error) {
	p, err := newProcess("sidecar", o.Options)
	if err != nil {
		return nil, err
	}
	s := &Sidecar{Process: p}
	if s.health, s.reservation, err = reservePort(s.Host()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if s.path, err = filepath.Abs(o.Program); err != nil { // it is started in its own folder
		return nil, errors.Join(err, s.Close())
	}
	s.args = []string{"serve"}
	s.env = []string{"HEALTH_ADDR=" + address(s.Host(), s.health), "METRICS_ADDR=" + s.Addr()}
	for _, v := range o.Vars {
		s.env = append(s.env, v.Name+"="+v.Value)
	}
	s.prepare, s.ready = func(context.Context) error { return nil }, s.alive
	return s, nil
}

func (s *Sidecar) alive(ctx context.Context) error {
	return httpOK(ctx, http.DefaultClient, s.Endpoint()+"/live")
}

// Endpoint returns the URL of /health.
func (s *Sidecar) Endpoint() string { return "http://" + address(s.Host(), s.health) + "/health" }

// Env returns nothing: it is the product.
func (s *Sidecar) Env() []Var { return nil }

// Close stops the sidecar for good and gives its ports back.
func (s *Sidecar) Close() error { return errors.Join(s.Process.Close(), s.reservation.Close()) }

// Var is one environment variable.
type Var struct{ Name, Value string }

// WriteEnv writes the variables to a file that a shell can source and a reader
// of .env files understands, for the owner's eyes only: it holds passwords.
func WriteEnv(path string, vars []Var) error {
	var b strings.Builder
	for _, v := range vars {
		if strings.ContainsAny(v.Value, "\n\r\x00") {
			return fmt.Errorf("write %s: %s has a line break in its value", path, v.Name)
		}
		fmt.Fprintf(&b, "export %s=%s\n", v.Name, quote(v.Value))
	}
	temp := path + ".new" // renamed, so that nobody reads half a file
	if err := os.WriteFile(temp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// quote quotes for a shell. A single quote in the value becomes '"'"', since
// .env readers know both kinds of quotes but not the shell's backslash.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'"'"'`) + "'"
}
