// Package docs_test holds the pages that people write against the code.
package docs_test

import (
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
	"github.com/reims/reims-health/pkg/health"
)

const root = "../.."

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

func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
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
