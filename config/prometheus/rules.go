// Package prometheus holds the rules and sample configurations for Prometheus and
// Alertmanager, for the programs that check them and make other forms of them: the
// chart, Grafana's provisioning, the pages in docs/alerts. No part of the product.
package prometheus

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FS holds rules/*.yaml, prometheus.yml, targets.yaml and alertmanager.yml.
//
//go:embed rules/*.yaml prometheus.yml targets.yaml alertmanager.yml
var FS embed.FS

// File is one file of rules. A file of alerts is called after its one alert.
type File struct {
	// Name is without folder and extension.
	Name string
	// About is the comment that the file begins with, on one line.
	About  string
	Groups []Group
}

// Group is what Prometheus evaluates in order.
type Group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"` // empty: Prometheus' own
	Rules    []Rule `yaml:"rules"`
}

// Rule is an alert or a record; the other name is empty.
type Rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Files returns the files of rules by name.
func Files() ([]File, error) {
	paths, err := fs.Glob(FS, "rules/*.yaml")
	if err != nil {
		return nil, err
	}
	files := make([]File, len(paths))
	for i, name := range paths {
		text, err := FS.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if files[i], err = Parse(strings.TrimSuffix(path.Base(name), ".yaml"), text); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Parse reads a file of rules. A field that [Rule] does not have is an error.
func Parse(name string, text []byte) (File, error) {
	file := File{Name: name, About: about(string(text))}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	content := struct{ Groups *[]Group }{&file.Groups}
	if err := decoder.Decode(&content); err != nil {
		return file, fmt.Errorf("parse rules %s: %w", name, err)
	}
	return file, nil
}

// about joins the lines of comment at the top.
func about(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		comment, is := strings.CutPrefix(line, "#")
		if !is {
			break
		}
		words = append(words, strings.Fields(comment)...)
	}
	return strings.Join(words, " ")
}

// Alerts returns the alerting rules of the file.
func (f File) Alerts() (alerts []Rule) {
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				alerts = append(alerts, r)
			}
		}
	}
	return alerts
}
