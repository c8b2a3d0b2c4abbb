package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?ms)^ {0,3}```yaml\n(.*?)^ {0,3}```$")

// TestHelmCommands has Helm read each helm install and upgrade of a page, as printed but for
// a flag that keeps it from asking a cluster, with the values.yaml that the page shows before.
func TestHelmCommands(t *testing.T) {
	t.Parallel()
	helm, err := filepath.Abs(root + "/bin/chart/helm4")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range instructions(t) {
		text := read(t, page)
		for _, b := range blocksOf(page, text) {
			for _, c := range b.commands {
				if r := ruleOf(c.command); r == nil || r.how != byHelm {
					continue
				}
				ran++
				if out, err := dryRun(t, helm, c.command, valuesBefore(t, page, text, c.command)); err != nil {
					t.Errorf("%s: %s: %v\n%s", page, c.command, err, out)
				}
			}
		}
	}
	if ran < 4 {
		t.Errorf("%d commands were run; there were more", ran)
	}
	const values = "database: {host: db}\n"
	if out, err := dryRun(t, helm, "helm install reims charts/reims-health -f values.yaml --sett a=b", values); err == nil {
		t.Errorf("a flag that Helm does not have passes:\n%s", out)
	}
	if out, err := dryRun(t, helm, "helm install reims charts/reims-health -f values.yaml", "databse: {host: db}\n"); err == nil {
		t.Errorf("a value that the chart does not have passes:\n%s", out)
	}
}

// valuesBefore returns the values.yaml that a command uses: the YAML block, or the file that
// the page links to, that comes last before it.
func valuesBefore(t *testing.T, page, text, command string) (values string) {
	t.Helper()
	text, _, _ = strings.Cut(text, command)
	at := -1
	if found := yamlBlock.FindAllStringSubmatchIndex(text, -1); found != nil {
		last := found[len(found)-1]
		at, values = last[0], unindent(text[last[2]:last[3]])
	}
	if found := regexp.MustCompile(`\]\(([^)]*values\.yaml)\)`).FindAllStringSubmatchIndex(text, -1); found != nil {
		if last := found[len(found)-1]; last[0] > at {
			values = read(t, filepath.Join(filepath.Dir(page), text[last[2]:last[3]]))
		}
	}
	return values
}

// dryRun runs the command in a copy of the repository's layout, with a helm that does not ask
// a cluster.
func dryRun(t *testing.T, helm, command, values string) (out string, err error) {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"charts", "examples"} {
		target, err := filepath.Abs(filepath.Join(root, folder))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	// An upgrade would ask for the release that is there.
	script := `helm() { verb=$1; shift; [ "$verb" != upgrade ] || verb=install; "$HELM" "$verb" "$@" --dry-run=client; }` + "\n" + command
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HELM="+helm, "KUBECONFIG=/dev/null", "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	written, err := cmd.CombinedOutput()
	return string(written), err
}
