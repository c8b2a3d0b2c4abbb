// Docs renders the documents that are generated from the code. Run it from the
// root of the module:
//
//	go run ./hack/docs          write those that are out of date
//	go run ./hack/docs -check   name them, and exit with 1 if there is any
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/metrics"
)

// A document is a file and what renders it.
type document struct {
	path   string
	render func(io.Writer) error
}

// documents are those of a program that knows these kinds of dependencies.
func documents(kinds dependency.Kinds) []document {
	return []document{
		{"docs/configuration.md", func(w io.Writer) error { return writeReference(w, kinds) }},
		{"docs/checks.md", func(w io.Writer) error { return writeChecks(w, kinds) }},
		{"config/sample.env", func(w io.Writer) error { return writeSampleEnv(w, kinds) }},
		{"docs/metrics.md", func(w io.Writer) error { return metrics.WriteReference(w, kinds.Described()) }},
		{"docs/alerts/README.md", writeAlerts},
		{"docs/licenses.md", writeLicenses},
		{"hack/dashboards/kinds.json", func(w io.Writer) error { return writeKinds(w, kinds) }},
	}
}

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if a document is out of date")
	flag.Parse()
	stale, err := update(".", registry.Kinds(), !*check)
	for _, path := range stale {
		fmt.Println(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || *check && len(stale) > 0 {
		os.Exit(1)
	}
}

// update returns the documents that were out of date, and writes them if asked to.
func update(root string, kinds dependency.Kinds, write bool) (stale []string, err error) {
	for _, d := range documents(kinds) {
		var want bytes.Buffer
		if err := d.render(&want); err != nil {
			return stale, fmt.Errorf("render %s: %w", d.path, err)
		}
		name := filepath.Join(root, d.path)
		if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, want.Bytes()) {
			continue
		}
		stale = append(stale, d.path)
		if !write {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return stale, err
		}
		if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
			return stale, err
		}
	}
	return stale, nil
}
