// Values makes a chart's values.schema.json from its values.yaml:
//
//	go run ./hack/chart/values [-check] charts/reims-health
//
// -check writes nothing, and exits with 1 where the schema is out of date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if the schema is out of date")
	flag.Parse()
	if err := run(flag.Args(), *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, check bool) error {
	if len(args) != 1 {
		return fmt.Errorf("got %d arguments, want one: the folder of a chart", len(args))
	}
	values, path := filepath.Join(args[0], "values.yaml"), filepath.Join(args[0], "values.schema.json")
	text, err := os.ReadFile(values)
	if err != nil {
		return err
	}
	want, err := generate(text)
	if err != nil {
		return fmt.Errorf("%s: %w", values, err)
	}
	have, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(have, want):
		return nil
	case check:
		return fmt.Errorf("%s is not what values.yaml says: run make update-chart", path)
	default:
		fmt.Println(path)
		return os.WriteFile(path, want, 0o644)
	}
}
