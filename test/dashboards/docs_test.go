package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeSpan  = regexp.MustCompile("`([^`\n]*reims_[^`\n]*)`")
	codeBlock = regexp.MustCompile(`(?m)(?:^    .*\n)+`)
)

// Whoever is woken copies these queries: each asks for what there is.
func TestQueriesInTheDocsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	series := knownSeries(t)
	pages, err := filepath.Glob("../../docs/alerts/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../docs/metrics.md") {
		for _, expr := range docQueries(t, page) {
			found += checkQuery(t, filepath.Base(page), series, expr)
		}
	}
	if found < 20 {
		t.Errorf("%d series are asked for, want far more", found)
	}
}

// docQueries are the code in running text that names a metric, and the blocks of the
// section Queries.
func docQueries(t *testing.T, page string) []string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text, examples, _ := strings.Cut(string(content), "\n## Queries\n")
	queries := codeBlock.FindAllString(examples, -1)
	if filepath.Base(page) == "metrics.md" {
		if len(queries) == 0 {
			t.Errorf("%s has no queries", page)
		}
		return queries // the text before is the reference itself
	}
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		queries = append(queries, strings.ReplaceAll(span[1], "SERVICE", "database"))
	}
	return queries
}
