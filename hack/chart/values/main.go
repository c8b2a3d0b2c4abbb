// Values makes a chart's values.schema.json and files/values.json from its values.yaml: what Helm
// refuses, and what the templates do. It makes files/configuration.json from pkg/config: what the
// program refuses, for the templates. Of a chart whose templates check no shapes (_shape.tpl), it
// makes the schema alone, a strict one.
//
//	go run ./hack/chart/values [-check] charts/reims-health
//
// -check writes nothing, and exits with 1 where one of them is out of date.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if the schema is out of date")
	flag.Parse()
	command.Main("values", func(context.Context) error { return run(flag.Args(), *check) })
}

func run(args []string, check bool) error {
	if len(args) != 1 {
		return fmt.Errorf("got %d arguments, want one: the folder of a chart", len(args))
	}
	values := filepath.Join(args[0], "values.yaml")
	text, err := os.ReadFile(values)
	if err != nil {
		return err
	}
	strict, err := generate(text)
	if err != nil {
		return fmt.Errorf("%s: %w", values, err)
	}
	schemaFile := filepath.Join(args[0], "values.schema.json")
	if _, err := os.Stat(filepath.Join(args[0], "templates/values/_shape.tpl")); errors.Is(err, fs.ErrNotExist) {
		schema, err := encode(strict)
		if err != nil {
			return err
		}
		return update(schemaFile, schema, check)
	}
	schema, err := encode(forHelm(strict))
	if err != nil {
		return err
	}
	var defaults map[string]any
	if err := yaml.Unmarshal(text, &defaults); err != nil {
		return fmt.Errorf("%s: %w", values, err)
	}
	shape, err := rules(strict, defaults)
	if err != nil {
		return err
	}
	shapeFile, err := encode(shape)
	if err != nil {
		return err
	}
	named, err := registry.Kinds().Examples("named-service")
	if err != nil {
		return err
	}
	configuration, err := encode(config.Export(registry.Kinds().Services(), named...))
	if err != nil {
		return err
	}
	return errors.Join(
		update(schemaFile, schema, check),
		update(filepath.Join(args[0], "files", "configuration.json"), configuration, check),
		update(filepath.Join(args[0], "files", "values.json"), shapeFile, check),
	)
}

func update(path string, want []byte, check bool) error {
	return command.Update(path, want, check, "update-chart")
}

func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return out.Bytes(), err
}
