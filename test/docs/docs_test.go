// Package docs_test holds the pages that people write against the code.
package docs_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/fleet/program"
	"github.com/reims/reims-health/pkg/health"
)

const root = "../.."

// chartPages are the charts' own.
var chartPages = []string{"charts/reims-health/README.md", "charts/reims-health-fleet/README.md"}

// Every reason has a section, and every section a reason (or is about starvation,
// which is none).
func TestTroubleshootingHasEveryReason(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/troubleshooting.md")
	for _, problem := range troubleshooting(page, registry.Kinds()) {
		t.Error(problem)
	}
	// A kind more needs a section more.
	want := []string{"no section on no_mail_service"}
	if got := troubleshooting(page, append(registry.Kinds(), mail.Kind())); !slices.Equal(got, want) {
		t.Errorf("with the kind mail: %v, want %v", got, want)
	}
}

// troubleshooting returns what is wrong with the page of a program that knows these kinds.
func troubleshooting(page string, kinds dependency.Kinds) (problems []string) {
	want := map[string]bool{"starved": true}
	for _, r := range health.Reasons(kinds.Described()...) {
		want[string(r)] = true
	}
	verdicts := verdictsOf(kinds)
	for _, section := range regexp.MustCompile(`(?m)^### (\w+)\n(?:\*([^*]+)\.\*)?`).FindAllStringSubmatch(page, -1) {
		reason := section[1]
		if !want[reason] {
			problems = append(problems, "the section "+reason+" is about no reason")
		}
		if !strings.Contains(section[2], verdicts[reason]) {
			problems = append(problems, "the section "+reason+" says *"+section[2]+".*, and the reason is "+verdicts[reason])
		}
		delete(want, reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(want)) {
		problems = append(problems, "no section on "+reason)
	}
	return problems
}

// verdictsOf returns by its name what each reason makes of a service.
func verdictsOf(kinds dependency.Kinds) map[string]string {
	words := map[health.Severity]string{
		health.SeverityDown: "unhealthy", health.SeveritySuspect: "suspect", health.SeverityImpaired: "degraded", health.SeverityUnproven: "degraded",
	}
	verdicts := make(map[string]string)
	for _, k := range append([]*health.Kind{nil}, kinds.Described()...) {
		for _, r := range health.Reasons(k) {
			text, _ := k.Explain(r)
			verdicts[string(r)] = words[text.Severity]
		}
	}
	return verdicts
}

// The fleet program's variables are listed as its usage has them.
func TestFleetSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "docs/fleet.md"), "\n## Settings\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var help strings.Builder
	if code := program.Run(t.Context(), []string{"--help"}, nil, &help, io.Discard, program.Build{Version: "v1"}); code != 0 {
		t.Fatalf("--help: exit code %d", code)
	}
	variables := regexp.MustCompile(`(?m)^  ([A-Z_]+) +.*?(?: \(default (.*)\))?$`).FindAllStringSubmatch(help.String(), -1)
	for _, v := range variables {
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + v[1] + "`.*$").FindString(table)
		if row == "" || !strings.Contains(row, v[2]) {
			t.Errorf("docs/fleet.md: no row of %s with the default %q", v[1], v[2])
		}
	}
	if rows := strings.Count(table, "\n| `"); rows != len(variables) {
		t.Errorf("%d variables in the table, %d in the help", rows, len(variables))
	}
}

// Every direct dependency has its line of justification.
func TestDependenciesAreJustified(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/decisions/0001-dependencies.md")
	for line := range strings.Lines(read(t, "go.mod")) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.Contains(fields[0], "/") { // an indirect one has a comment
			continue
		}
		name := strings.TrimPrefix(fields[0], "github.com/")
		if name != "module" && !strings.Contains(page, "| "+name+" |") {
			t.Errorf("0001-dependencies.md has no line on %s", name)
		}
	}
}

// Every decision is in the list, and every link between the pages leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target := filepath.Join(root, filepath.Dir(page), match[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, match[1])
			}
		}
	}
	list := read(t, "docs/decisions/README.md")
	notes, err := filepath.Glob(filepath.Join(root, "docs/decisions/0*.md"))
	if err != nil || len(notes) == 0 {
		t.Fatal("no decisions", err)
	}
	for _, note := range notes {
		if !strings.Contains(list, "("+filepath.Base(note)+")") {
			t.Errorf("docs/decisions/README.md does not list %s", filepath.Base(note))
		}
	}
}

// The page on reliability names tests that there are.
func TestReliabilityNamesTests(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`((?:pkg|test)/[a-z0-9/]+) (Test\\w+)`").FindAllStringSubmatch(read(t, "docs/reliability.md"), -1)
	for _, test := range named {
		found := false
		for _, path := range goFiles(t) {
			found = found || filepath.Dir(path) == test[1] && strings.Contains(read(t, path), "\nfunc "+test[2]+"(")
		}
		if !found {
			t.Errorf("docs/reliability.md names %s in %s, which is not there", test[2], test[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("%d tests are named; there were more", len(named))
	}
}

// The index has one line per page, and no page twice.
func TestIndexHasEveryPage(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/README.md")
	found, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(found) < 15 {
		t.Fatalf("%d pages: %v", len(found), err)
	}
	for _, page := range found {
		if name := filepath.Base(page); name != "README.md" && len(regexp.MustCompile(`(?m)^\| \[[^\]]+\]\(`+regexp.QuoteMeta(name)+`\)`).FindAllString(index, -1)) != 1 {
			t.Errorf("docs/README.md does not list %s once", name)
		}
	}
	if words := len(regexp.MustCompile(`(?m)^\| [a-z]+ \| `).FindAllString(read(t, "docs/glossary.md"), -1)); words != 11 { // and the head
		t.Errorf("the glossary has %d words", words-1)
	}
}

// Every section that a link names is there.
func TestLinksNameSections(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	seen := 0
	for _, page := range append(pages(t), chartPages...) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if filepath.Ext(target) != ".md" {
				continue
			}
			seen++
			if !slices.Contains(anchors(read(t, target)), m[2]) {
				t.Errorf("%s links to %s#%s, and there is no such section", page, target, m[2])
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d links found", seen)
	}
}

// anchors are the names that GitHub gives to the sections of a page.
func anchors(page string) (names []string) {
	page = regexp.MustCompile("(?ms)^ {0,3}```.*?^ {0,3}```$").ReplaceAllString(page, "")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(name)), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range found {
			page, _ = filepath.Rel(root, page)
			all = append(all, page)
		}
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
