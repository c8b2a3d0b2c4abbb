package servers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// BuildKubernetes returns the folder that holds these programs of Kubernetes, such
// as "kube-apiserver" or "kubelet", and builds those that this user has none of, of
// the version in hack/tools/kubernetes. The first takes about ten minutes, all
// others together about five.
func BuildKubernetes(ctx context.Context, o Options, programs ...string) (dir string, err error) {
	if len(programs) == 0 {
		return "", errors.New("build kubernetes: no program named")
	}
	for _, name := range programs { // one after the other: each takes all processors
		t, err := kubernetesTool(name)
		if err != nil {
			return "", err
		}
		binary, err := t.build(ctx, o)
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(binary)
	}
	return dir, nil
}

// kubernetesTool stamps the version into the program, for it calls itself v0.0.0
// otherwise, and charts compare versions.
func kubernetesTool(program string) (tool, error) {
	t := tool{
		name: program, module: "k8s.io/kubernetes", folder: "kubernetes",
		program: "k8s.io/kubernetes/cmd/" + program, duration: "up to 10 minutes",
		ldflags: "-s -w", env: []string{"CGO_ENABLED=0"},
	}
	_, version, err := t.locate()
	if err != nil {
		return t, fmt.Errorf("build %s: %w", program, err)
	}
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 3 {
		return t, fmt.Errorf("build %s: %q is not a version", program, version)
	}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		t.ldflags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
			pkg, version, parts[0], parts[1])
	}
	return t, nil
}
