package rules_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/config/prometheus"
)

// testCase is the part of promtool's format that says which alerts are expected.
type testCase struct {
	Name   string  `yaml:"name"`
	Checks []check `yaml:"alert_rule_test"`
}

// check says which alerts of a name fire at a moment.
type check struct {
	Alert    string `yaml:"alertname"`
	Expected []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

// Every rule of every alert has a case in which it does not fire, then fires as one
// alert, and then resolves.
func TestEveryAlertHasItsCase(t *testing.T) {
	t.Parallel()
	for _, file := range alertFiles(t) {
		cases := readCases(t, file.Name)
		for _, rule := range file.Alerts() {
			if !slices.ContainsFunc(cases, func(c testCase) bool { return comesAndGoes(c, rule) }) {
				t.Errorf("tests/%s.yaml: in no case does the %s alert not fire, fire and resolve",
					file.Name, rule.Labels["severity"])
			}
		}
	}
}

// comesAndGoes tells whether the checks of the rule's alert are, in order: none, one
// of the rule's severity, none.
func comesAndGoes(c testCase, rule prometheus.Rule) bool {
	stage := 0
	for _, check := range c.Checks {
		if check.Alert != rule.Alert {
			continue
		}
		one := len(check.Expected) == 1 && check.Expected[0].Labels["severity"] == rule.Labels["severity"]
		switch {
		case stage != 1 && len(check.Expected) == 0, stage == 1 && one:
			stage++
		case stage == 2:
			return true
		}
	}
	return stage >= 2
}

// An alert that carries a Pod's name would come once a Pod.
func TestAlertsAreNotByPod(t *testing.T) {
	t.Parallel()
	allowed := []string{"severity", "namespace", "service", "node", "mode"}
	for _, file := range alertFiles(t) {
		for _, c := range readCases(t, file.Name) {
			for _, check := range c.Checks {
				for _, expected := range check.Expected {
					for label := range expected.Labels {
						if !slices.Contains(allowed, label) {
							t.Errorf("%s: %q has the label %s", file.Name, c.Name, label)
						}
					}
				}
			}
		}
	}
}

func readCases(t *testing.T, name string) []testCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(config, "tests", name+".yaml"))
	if err != nil {
		t.Errorf("%s has no cases: %v", name, err)
		return nil
	}
	var file struct {
		Tests []testCase `yaml:"tests"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Tests
}

// alertFiles are the files of rules but for the one of records.
func alertFiles(t *testing.T) []prometheus.File {
	t.Helper()
	files, err := prometheus.Files()
	if err != nil {
		t.Fatal(err)
	}
	alerts := slices.DeleteFunc(files, func(f prometheus.File) bool { return f.Name == "recording" })
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	return alerts
}
