package dashboards_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

func provisioning(name string) string {
	return filepath.Join(config, "grafana/provisioning", name)
}

// Alerts that Grafana evaluates find their datasource and their way to somebody.
func TestProvisioningFitsTogether(t *testing.T) {
	t.Parallel()
	var points struct {
		APIVersion    int `yaml:"apiVersion"`
		ContactPoints []struct {
			OrgID     int    `yaml:"orgId"`
			Name      string `yaml:"name"`
			Receivers []struct {
				UID      string         `yaml:"uid"`
				Type     string         `yaml:"type"`
				Settings map[string]any `yaml:"settings"`
			} `yaml:"receivers"`
		} `yaml:"contactPoints"`
	}
	load(t, provisioning("alerting/contact-points.yaml"), &points)
	names := map[string]bool{"grafana-default-email": true} // Grafana's own
	for _, p := range points.ContactPoints {
		names[p.Name] = true
	}
	var policies struct {
		Policies []policy `yaml:"policies"`
	}
	loadLoosely(t, provisioning("alerting/policies.yaml"), &policies)
	folder := grafanaRules(t).Groups[0].Folder
	for _, root := range policies.Policies {
		for _, p := range append(root.Routes, root) {
			if !names[p.Receiver] {
				t.Errorf("policies.yaml sends to %s, which contact-points.yaml lacks", p.Receiver)
			}
		}
		for _, p := range root.Routes {
			if p.Matchers[0] != [3]string{"grafana_folder", "=", folder} {
				t.Errorf("the route to %s is not for the rules' folder %q: %v", p.Receiver, folder, p.Matchers)
			}
		}
	}
	var sources struct {
		Datasources []struct {
			UID  string `yaml:"uid"`
			Type string `yaml:"type"`
		} `yaml:"datasources"`
	}
	loadLoosely(t, provisioning("datasources/prometheus.yaml"), &sources)
	if s := sources.Datasources[0]; s.UID != "prometheus" || s.Type != "prometheus" {
		t.Errorf("the datasource is %+v; the rules ask prometheus", s)
	}
}

type policy struct {
	Receiver string      `yaml:"receiver"`
	Matchers [][3]string `yaml:"object_matchers"`
	Routes   []policy    `yaml:"routes"`
}

// What is secret, or somebody's address, comes from Grafana's environment.
func TestContactPointsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	text := read(t, provisioning("alerting/contact-points.yaml"))
	settings := regexp.MustCompile(`(?m)^\s+(integrationKey|addresses|url|token): (.*)$`).FindAllStringSubmatch(text, -1)
	if len(settings) != 2 {
		t.Fatalf("settings = %v, want two", settings)
	}
	for _, s := range settings {
		if !regexp.MustCompile(`^\$[A-Z_]+$`).MatchString(s[2]) {
			t.Errorf("%s stands in the file", s[1])
		}
	}
}
