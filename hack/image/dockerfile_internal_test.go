package main

import (
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const root = "../.."

// What the charts and their users rely on.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	labels := func(title, description string) map[string]string {
		return map[string]string{
			"org.opencontainers.image.title":       title,
			"org.opencontainers.image.description": description,
			"org.opencontainers.image.source":      "https://github.com/reims/reims-health",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     "v1.2.3",
			"org.opencontainers.image.revision":    "c0ffee",
			"org.opencontainers.image.created":     created,
		}
	}
	for stage, want := range map[string]v1.Config{
		"": {
			User:         "65532:65532",
			Env:          []string{"PATH=/"}, // where the program is
			Entrypoint:   []string{"/reims-health"},
			Cmd:          []string{"serve"},
			ExposedPorts: map[string]struct{}{"8008/tcp": {}, "9008/tcp": {}},
			Labels:       labels("reims-health", "Health of the REIMS API's dependencies, from a sidecar"),
		},
		"fleet": {
			User:         "65532:65532",
			Env:          []string{"PATH=/"},
			Entrypoint:   []string{"/reims-health-fleet"},
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}, "9090/tcp": {}},
			Labels:       labels("reims-health-fleet", "One look at the reims-health sidecars of all workloads"),
		},
	} {
		got, err := readDockerfile(filepath.Join(root, "Dockerfile"), stage,
			map[string]string{"VERSION": "v1.2.3", "COMMIT": "c0ffee", "CREATED": created})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stage %q (-want +got):\n%s", stage, diff)
		}
	}
}

// No engine is needed for the tests, so this is as far as the build stage goes: all
// that it copies is there, and .dockerignore lets it through.
func TestBuildStageCopiesWhatIsThere(t *testing.T) {
	t.Parallel()
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, command := range buildStage(t).Commands {
		c, ok := command.(*instructions.CopyCommand)
		if !ok {
			continue
		}
		for _, source := range c.SourcePaths {
			copied++
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(ignore), "\n!"+source+"\n") {
				t.Errorf(".dockerignore keeps %s out", source)
			}
		}
	}
	if copied == 0 {
		t.Error("the build stage copies nothing")
	}
}

// The official images never fetch another Go than their own, so it must be new enough
// for both modules; and its version is whole, so that one commit is built with one Go.
func TestBuildStageHasTheGoThatIsRequired(t *testing.T) {
	t.Parallel()
	base := buildStage(t).BaseName
	match := regexp.MustCompile(`^golang:(\d+\.\d+\.\d+)-bookworm$`).FindStringSubmatch(base)
	if match == nil {
		t.Fatalf("the build stage is from %s, want golang:X.Y.Z-bookworm", base)
	}
	for _, dir := range []string{root, "."} {
		cmd := exec.Command("go", "list", "-m", "-f", "{{.GoVersion}}")
		cmd.Dir = dir
		out, err := cmd.Output()
		required := strings.TrimSpace(string(out))
		if err != nil || !version.IsValid("go"+required) {
			t.Fatalf("%s: requires %q: %v", dir, required, err)
		}
		if version.Compare("go"+match[1], "go"+required) < 0 {
			t.Errorf("%s/go.mod requires Go %s, and the build stage is from %s", dir, required, base)
		}
	}
}

func buildStage(t *testing.T) instructions.Stage {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil || len(stages) != 3 || stages[0].Name != "build" {
		t.Fatalf("%d stages, %v", len(stages), err)
	}
	return stages[0]
}

func TestDockerfileRefused(t *testing.T) {
	t.Parallel()
	const good = "FROM a AS build\nFROM scratch\nCOPY --from=build /rootfs /\n"
	for name, c := range map[string]struct{ text, want string }{
		"another base":      {"FROM debian\n", "scratch"},
		"no such stage":     {good, "no stage fleet"},
		"files of another":  {"FROM scratch AS fleet\nCOPY --from=build /rootfs /\n" + good, "want COPY --from=build /rootfs-fleet /"},
		"no files of fleet": {"FROM scratch AS fleet\n" + good, "the stage fleet must have once"},
		"no files":          {"FROM scratch\n", "must have once"},
		"files twice":       {good + "COPY --from=build /rootfs /\n", "must have once"},
		"other files":       {good + "COPY README.md /\n", "want COPY"},
		"owned files":       {"FROM scratch\nCOPY --from=build --chown=1 /rootfs /\n", "want COPY"},
		"a command":         {good + "RUN true\n", "does not know"},
		"a volume":          {good + "VOLUME /a\n", "does not know"},
		"a shell":           {good + "ENTRYPOINT /reims-health\n", "no shell"},
		"a shell for CMD":   {good + "CMD serve\n", "no shell"},
		"an unknown word":   {good + "SIDEWAYS\n", "SIDEWAYS"},
		"an argument":       {good + "ARG A\nLABEL a=$A b=$B\n", "B is used"},
		"no stage":          {"ARG A\n", "no stage"},
		"nothing but space": {"\n", "no instructions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "Dockerfile")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			stage := ""
			if strings.Contains(c.want, "fleet") {
				stage = "fleet"
			}
			if _, err := readDockerfile(file, stage, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one that says %q", err, c.want)
			}
		})
	}
}
