package docs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/page"
)

var mermaidBlock = regexp.MustCompile("(?ms)^```mermaid\n(.*?)^```$")

var diagrams = flag.String("diagrams", "", "a folder to which the diagrams of the pages are written as SVG, to be looked at")

// Mermaid draws every diagram of the pages.
func TestDiagrams(t *testing.T) {
	t.Parallel()
	browser, stop, err := page.Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	tab, _, err := page.Open(browser, "about:blank", page.View{Width: 1000})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range pages(t) {
		for _, m := range mermaidBlock.FindAllStringSubmatch(read(t, name), -1) {
			seen++
			svg, err := page.Diagram(tab, m[1])
			if err != nil || !strings.Contains(svg, "<svg") {
				t.Errorf("%s: %v\n%s", name, err, m[1])
			}
			if *diagrams != "" {
				file := filepath.Join(*diagrams, fmt.Sprintf("%s-%d.svg", filepath.Base(name), seen))
				if err := os.WriteFile(file, []byte(svg), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d diagrams found", seen)
	}
	if _, err := page.Diagram(tab, "flowchart LR\n  a -- b ->"); err == nil {
		t.Error("a broken diagram is drawn")
	}
}
