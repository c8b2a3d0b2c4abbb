// Kubernetes makes the JSON Schemas that kubeconform holds the rendered chart against,
// strict ones, for the kinds that the chart renders, from what the projects publish in
// their Go modules:
//
//	go run ./hack/chart/kubernetes          write those that are out of date
//	go run ./hack/chart/kubernetes -check   name them, and exit with 1 if there is any
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"path/filepath"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/servers"
)

// folder holds a folder for each version of Kubernetes, and one for custom resources.
const folder = "hack/chart/schemas"

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if a schema is out of date")
	flag.Parse()
	command.Main("kubernetes", func(ctx context.Context) error { return run(ctx, *check) })
}

func run(ctx context.Context, check bool) error {
	root, err := servers.Root()
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range sources() {
		errs = append(errs, s.update(ctx, root, check))
	}
	return errors.Join(errs...)
}

func (s source) update(ctx context.Context, root string, check bool) error {
	files, err := s.files(ctx, root)
	errs := []error{err}
	for name, schema := range files {
		errs = append(errs, update(filepath.Join(root, folder, s.folder, name), schema, check))
	}
	return errors.Join(errs...)
}

func update(path string, schema object, check bool) error {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(schema); err != nil {
		return err
	}
	return command.Update(path, want.Bytes(), check, "update-chart-schemas")
}
