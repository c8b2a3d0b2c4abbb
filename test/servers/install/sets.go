package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// serverOf names the server behind each service of HEALTH_SERVICES.
var serverOf = map[string]string{"database": "postgres", "redis": "redis", "minio": "minio", "ollama": "ollama"}

// Servers names the servers behind the services of HEALTH_SERVICES: "postgres",
// "redis", "minio", "ollama". An empty list names all four.
func Servers(services string) (names []string, err error) {
	if strings.TrimSpace(services) == "" {
		return []string{"postgres", "redis", "minio", "ollama"}, nil
	}
	for service := range strings.SplitSeq(services, ",") {
		name, ok := serverOf[strings.TrimSpace(service)]
		if !ok {
			return nil, fmt.Errorf("HEALTH_SERVICES: no service is called %q", strings.TrimSpace(service))
		}
		names = append(names, name)
	}
	return names, nil
}

// Quick tells whether the server comes from Debian's packages, in seconds. Others are
// built.
func Quick(server string) bool { return packageOf[server] != "" }

var packageOf = map[string]string{"postgres": "postgresql", "redis": "redis-server"}

// For installs what the servers need that come from Debian's packages, and then builds
// the others, one after the other.
func For(ctx context.Context, p *Progress, servers ...string) error {
	var names, built []string
	for _, server := range servers {
		if name, ok := packageOf[server]; ok {
			names = append(names, name)
		} else {
			built = append(built, server)
		}
	}
	if err := Packages(ctx, p, names...); err != nil {
		return err
	}
	return build(ctx, p, built...)
}

// ForTests installs and builds all that make test needs, so that from then on each
// server starts in a second or so. Nothing of it is Kubernetes.
func ForTests(ctx context.Context, p *Progress) error {
	names := slices.Concat([]string{
		"postgresql", "redis-server", "pgbouncer", "prometheus", "prometheus-alertmanager", "curl", "jq", "skopeo",
	}, tools["ollama"].needs, chromium)
	if err := Packages(ctx, p, names...); err != nil {
		return err
	}
	if _, err := Postgres18(ctx, p); err != nil {
		return err
	}
	return build(ctx, p, "minio", "ollama")
}

// ForAPIServer installs and builds what a Kubernetes API server with no node needs.
func ForAPIServer(ctx context.Context, p *Progress) error {
	if err := Packages(ctx, p, "etcd-server"); err != nil {
		return err
	}
	return build(ctx, p, "kube-apiserver")
}

// build builds one after the other, since each build takes all processors.
func build(ctx context.Context, p *Progress, names ...string) error {
	for i, name := range names {
		if _, err := Program(ctx, p, name, names[i+1:]...); err != nil {
			return err
		}
	}
	return nil
}
