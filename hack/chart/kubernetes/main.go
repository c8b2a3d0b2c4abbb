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
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/reims/reims-health/test/servers"
)

// folder holds a folder for each version of Kubernetes, and one for custom resources.
const folder = "hack/chart/schemas"

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if a schema is out of date")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *check)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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
	have, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(have, want.Bytes()):
		return nil
	case check:
		return fmt.Errorf("%s is out of date: run make update-chart-schemas", path)
	}
	fmt.Println(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, want.Bytes(), 0o644)
}
