package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/program"
)

// flags are those of a program's verb that the pages use: with a value ("-n="), or
// without one.
type flags []string

// verbs are those that the pages use. A new one is added here after it was tried.
var verbs = map[string]map[string]flags{
	"kubectl": {
		"apply": {"-f=", "-k=", "--server-side", "--force-conflicts"}, "auth": {"--as=", "--subresource="}, "create": {"--from-file=", "--from-literal="}, "debug": {"-it", "--image=", "--target=", "--profile=", "--custom="},
		"delete": {"-l=", "-f="}, "describe": {}, "drain": {"--delete-emptydir-data", "--ignore-daemonsets"}, "exec": {"-c=", "-it", "--"}, "get": {"-l=", "-o=", "-w", "-A", "--raw="},
		"logs": {"-c=", "-l=", "--previous", "--tail=", "-f", "--prefix"}, "port-forward": {}, "rollout": {}, "scale": {"--replicas="}, "top": {}, "wait": {"--all", "--for=", "--timeout="}, "annotate": {}, "label": {},
	},
	"helm": {
		"install": {"-f=", "--wait", "--timeout=", "--set=", "--create-namespace"}, "upgrade": {"-f=", "--wait", "--timeout=", "--set=", "--install", "--reset-values", "--reuse-values"},
		"test": {"--logs"}, "uninstall": {"--wait"}, "rollback": {"--wait"}, "history": {}, "status": {}, "template": {"-f=", "--set="}, "show": {}, "package": {},
		"dependency": {}, "list": {"-a"}, "get": {},
	},
	"curl":   {"": {"-s", "-f", "-fsS", "-sS", "-i", "-o=", "--max-time=", "-H=", "-k", "--fail", "--cacert="}},
	"docker": {"compose": {"-d", "--wait"}, "build": {"-t=", "--build-arg="}, "run": {"--rm", "-p=", "-e=", "--env-file="}},
	"cosign": {"verify": {"--certificate-oidc-issuer=", "--certificate-identity="}},
	"go":     {"test": {"-run=", "-update", "-tags=", "-count=", "-race", "-v"}, "run": {}, "build": {"-o="}, "tool": {"-modfile="}},
}

// global flags go before or after any verb.
var global = map[string]flags{"kubectl": {"-n=", "--context="}, "helm": {"-n=", "--kube-context="}}

// plain are programs of every system, whose arguments are not looked at.
var plain = []string{"jq", "printf", "sed", "basename", "tr", "echo", "cat", "cp", "mkdir", "kind", "psql", "redis-cli", "export", "grep"}

// reference is what the commands are held against.
type reference struct {
	program  string // reims-health, built
	targets  map[string]bool
	makefile string
	rendered string // the charts, of the releases reims and reims-health-fleet
	vars     map[string]bool
}

func newReference(t *testing.T) *reference {
	t.Helper()
	r := &reference{targets: make(map[string]bool), vars: make(map[string]bool), makefile: read(t, "Makefile")}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`).FindAllStringSubmatch(r.makefile, -1) {
		r.targets[m[1]] = true
	}
	for _, v := range config.Variables(registry.Kinds().Services()) {
		r.vars[v.Name] = true
	}
	var err error
	if r.program, err = program.Build(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for release, values := range map[string]string{"reims": "reims-health/ci/hook-values.yaml", "reims-health-fleet": "reims-health-fleet/ci/default-values.yaml"} {
		chart, _, _ := strings.Cut(values, "/")
		out, err := exec.Command(root+"/bin/chart/helm4", "template", release, root+"/charts/"+chart, "-f", root+"/charts/"+values).Output()
		if err != nil {
			t.Fatalf("render the chart %s (make chart-build makes the program): %v", chart, err)
		}
		r.rendered += string(out)
	}
	return r
}

// check returns what is wrong with the commands of one block.
func (r *reference) check(script string) (problems []string) {
	commands, err := parseShell(script)
	if err != nil {
		return []string{err.Error()}
	}
	for i, c := range commands {
		if c.background && i+1 < len(commands) {
			problems = append(problems, c.words[0].text+": goes to the background, and what follows may come before it is ready")
		}
		if err := r.command(c.words); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

func (r *reference) command(words []word) error {
	var assigned []string
	for len(words) > 0 && assignment.MatchString(words[0].text) {
		assigned = append(assigned, assignment.FindStringSubmatch(words[0].text)[1])
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	name, args := words[0].text, words[1:]
	switch {
	case name == "reims-health", name == "bin/reims-health", name == "/reims-health":
		for _, v := range assigned {
			if !r.vars[v] {
				return fmt.Errorf("%s=… %s: no such variable", v, name)
			}
		}
		return r.own(args)
	case name == "make":
		return r.make(args)
	case verbs[name] != nil:
		return r.external(name, args)
	case slices.Contains(plain, name):
		return nil
	case made(r.makefile, name): // by a target, so it need not be there yet
		return nil
	case strings.Contains(name, "/"):
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Mode()&0o111 == 0 {
			return fmt.Errorf("%s: no such program", name)
		}
		return nil
	}
	return fmt.Errorf("%s: unknown program", name)
}

// own has the program itself read the command line.
func (r *reference) own(args []word) error {
	list := []string{}
	for _, a := range args {
		list = append(list, a.text)
	}
	cmd := exec.Command(r.program, append(list, "--help")...)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	text := strings.Join(list, " ")
	if err != nil {
		return fmt.Errorf("reims-health %s: %w: %s", text, err, out)
	}
	for _, a := range list { // a subcommand that does not exist is taken for an argument
		if strings.HasPrefix(a, "-") || a == "" {
			break
		}
		if !regexp.MustCompile(`(?m)^Usage:\n\s+reims-health .*\b` + regexp.QuoteMeta(a) + `\b`).Match(out) {
			return fmt.Errorf("reims-health %s: no such subcommand: %s", text, a)
		}
	}
	return nil
}

func (r *reference) make(args []word) error {
	for _, a := range args {
		if m := assignment.FindStringSubmatch(a.text); m != nil {
			if !strings.Contains(r.makefile+r.e2e(), m[1]) {
				return fmt.Errorf("make %s: the Makefile has no such variable", a.text)
			}
		} else if !r.targets[a.text] {
			return fmt.Errorf("make %s: no such target", a.text)
		}
	}
	return nil
}

// e2e is the script that reads the variables of make e2e.
func (r *reference) e2e() string {
	text, _ := os.ReadFile(filepath.Join(root, "hack/e2e.sh"))
	return string(text)
}

var (
	placeholder = regexp.MustCompile(`^[A-Z][A-Z_]*$`)
	object      = regexp.MustCompile(`^(deploy|deployment|service|svc|pod|job|configmap)/(.+)$`)
)

// external holds a command of another program against the verbs and flags that are
// known, and the names in it against the chart.
func (r *reference) external(name string, args []word) error {
	var positional []string
	known := slices.Clone(global[name])
	if v, ok := verbs[name][""]; ok {
		known = append(known, v...)
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a.glob && name == "curl" {
			return fmt.Errorf("curl %s: quote it: zsh and others expand ? and split at &", a.text)
		}
		if a.text == "--" && name == "kubectl" {
			return r.inPod(positional, args[i+1:])
		}
		if !strings.HasPrefix(a.text, "-") || a.text == "-" {
			positional = append(positional, a.text)
			if len(positional) == 1 && verbs[name][""] == nil {
				v, ok := verbs[name][a.text]
				if !ok {
					return fmt.Errorf("%s %s: unknown verb", name, a.text)
				}
				known = append(known, v...)
			}
			continue
		}
		flag, _, given := strings.Cut(a.text, "=")
		switch {
		case slices.Contains(known, flag) && !given:
		case slices.Contains(known, flag+"="):
			if !given {
				if i++; i >= len(args) {
					return fmt.Errorf("%s %s: the flag has no value", name, flag)
				}
			}
		default:
			return fmt.Errorf("%s: unknown flag %s (of this verb)", name, a.text)
		}
	}
	return r.names(name, positional)
}

// inPod checks what kubectl exec runs in the sidecar, which has one program.
func (r *reference) inPod(positional []string, inside []word) error {
	if err := r.names("kubectl", positional); err != nil {
		return err
	}
	if len(inside) == 0 {
		return fmt.Errorf("kubectl %v --: nothing to run", positional)
	}
	if positional[0] == "exec" && inside[0].text != "reims-health" {
		return fmt.Errorf("kubectl exec … -- %s: the image holds reims-health alone", inside[0].text)
	}
	if positional[0] == "exec" {
		return r.own(inside[1:])
	}
	return nil
}

func (r *reference) names(name string, positional []string) error {
	for _, p := range positional {
		p = strings.ReplaceAll(p, "FULLNAME", "reims-reims-health") // as the pages call it
		if kind, ok := strings.CutSuffix(p, "/shop"); ok {          // as the examples do
			p = kind + "/reims-reims-health"
		}
		target := ""
		if m := object.FindStringSubmatch(p); m != nil {
			target = m[2]
		} else if strings.HasPrefix(p, "reims-reims-health") {
			target = p
		}
		if target != "" && !placeholder.MatchString(target) &&
			!regexp.MustCompile(`(?m)\bname: "?`+regexp.QuoteMeta(target)+`"?$`).MatchString(r.rendered) {
			return fmt.Errorf("%s … %s: the chart renders no such name for a release reims", name, p)
		}
		if name == "helm" && strings.Contains(p, "/") {
			if _, err := os.Stat(filepath.Join(root, p)); err != nil {
				return fmt.Errorf("helm … %s: no such chart", p)
			}
		}
	}
	return nil
}

var (
	fence  = regexp.MustCompile("(?ms)^ {0,3}```(sh|shell|bash|console|text)\n(.*?)^ {0,3}```$")
	inline = regexp.MustCompile("`((?:[A-Z_]+=\\S+ )?(?:bin/)?(?:kubectl|helm|curl|make|docker|go|reims-health) [^`]+)`")
)

// blocks returns the commands of a page: those of each fenced block, and those within
// the text. What a console shows is no command.
func blocks(page string) (all []string, at []int) {
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		lang, text := page[m[2]:m[3]], page[m[4]:m[5]]
		if lang == "console" || lang == "text" {
			var typed []string
			for line := range strings.Lines(text) {
				if c, ok := strings.CutPrefix(line, "$ "); ok {
					typed = append(typed, c)
				}
			}
			text = strings.Join(typed, "")
		}
		all, at = append(all, text), append(at, m[0])
	}
	for _, m := range indented.FindAllStringSubmatchIndex(page, -1) {
		all, at = append(all, strings.TrimPrefix(page[m[2]:m[3]], "$ ")), append(at, m[0])
	}
	for _, m := range inline.FindAllStringSubmatchIndex(page, -1) {
		all, at = append(all, strings.ReplaceAll(page[m[2]:m[3]], "\n", " ")), append(at, m[0])
	}
	return all, at
}

// made reports whether the Makefile compiles the program.
func made(makefile, name string) bool {
	dir, base := filepath.Split(name)
	return dir == "bin/" && regexp.MustCompile(`(?m) \./(?:cmd|hack)/`+regexp.QuoteMeta(base)+`$`).MatchString(makefile)
}

// Every command that a page or the chart shows works as printed, as far as that can be
// known without a cluster.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := newReference(t)
	t.Run("pages", r.testPages)
	t.Run("notes", r.testNotes)
	t.Run("broken", r.testBroken)
}

func (r *reference) testPages(t *testing.T) {
	seen := 0
	for _, page := range append(pages(t), chartPages...) {
		if page == "CHANGELOG.md" || strings.Contains(page, "/decisions/") { // history, not instructions
			continue
		}
		text := read(t, page)
		all, at := blocks(text)
		for i, script := range all {
			seen++
			for _, problem := range r.check(script) {
				t.Errorf("%s: %s", page, problem)
			}
			if strings.Contains(script, "-f values.yaml") && !strings.Contains(text[:at[i]], "`values.yaml`") {
				t.Errorf("%s: values.yaml is used before it is shown", page)
			}
			if page == "README.md" && regexp.MustCompile(`(?m)^reims-health `).MatchString(script) && strings.Contains(script, "\n") {
				t.Errorf("%s: here the program is bin/reims-health: %s", page, script)
			}
		}
	}
	if seen < 80 {
		t.Errorf("%d commands found: is the pattern right?", seen)
	}
}

// What the chart prints after an install works too, with each of its samples of values.
func (r *reference) testNotes(t *testing.T) {
	helm, err := filepath.Abs(root + "/bin/chart/helm4")
	if err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Glob(filepath.Join(root, "charts/reims-health*/ci/*-values.yaml"))
	if err != nil || len(samples) < 6 {
		t.Fatalf("samples of values: %v %v", samples, err)
	}
	found := 0
	for _, sample := range samples {
		values, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		out, err := dryRun(t, helm, "helm install reims charts/"+filepath.Base(filepath.Dir(filepath.Dir(sample)))+" -f values.yaml", string(values))
		if err != nil {
			t.Errorf("%s: %v\n%s", sample, err, out)
			continue
		}
		manifests, notes, _ := strings.Cut(out, "\nNOTES:\n")
		of := *r
		of.rendered += manifests // an application's own chart has the rest
		for _, m := range regexp.MustCompile(`(?m)^ {5}(\S.*)$`).FindAllStringSubmatch(notes, -1) {
			found++
			for _, problem := range of.check(strings.ReplaceAll(m[1], " …", "")) {
				t.Errorf("NOTES.txt with %s: %s", filepath.Base(sample), problem)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d commands found", found)
	}
}

// The commands that people reported are found.
func (r *reference) testBroken(t *testing.T) {
	for script, want := range map[string]string{
		"kubectl exec deploy/reims -c reims-health -- reims-health check":              "no such name",
		"kubectl exec deploy/reims-reims-health -c reims-health -- sh":                 "holds reims-health alone",
		"kubectl exec deploy/reims-reims-health -c reims-health -- reims-health czech": "czech",
		"kubectl frobnicate pod":                                                             "unknown verb",
		"kubectl logs POD --sidecar":                                                         "unknown flag",
		"curl -s localhost:8008/health?verbose":                                              "quote it",
		"curl -s localhost:8008/health/history?service=database&since=1m":                    "quote it",
		"kubectl -n NAMESPACE port-forward POD 8008 &\ncurl -s http://localhost:8008/health": "background",
		"make rnu":                                 "no such target",
		"make e2e E3E_HOST=x":                      "no such variable",
		"reims-health chekc":                       "chekc",
		"reims-health check --urll http://x":       "urll",
		"reims-health migrate sideways":            "sideways",
		"REDIS_PROT=1 reims-health check --direct": "no such variable",
		"bin/check.sh":                             "no such program",
		"wget http://localhost":                    "unknown program",
		"helm install reims charts/reims":          "no such chart",
		"kubectl get pods 'x":                      "not closed",
	} {
		if problems := strings.Join(r.check(script), "; "); !strings.Contains(problems, want) {
			t.Errorf("%q: found %q, want %q", script, problems, want)
		}
	}
}
