// Package dashboards_test holds what config/grafana promises: dashboards that work in
// any Grafana, and alert rules that mean what Prometheus' rules mean.
package dashboards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const config = "../../config"

// dashboard is the part of Grafana's model that we hold to rules.
type dashboard struct {
	ID         *int     `json:"id"`
	UID        string   `json:"uid"`
	Title      string   `json:"title"`
	Tags       []string `json:"tags"`
	Editable   bool     `json:"editable"`
	Panels     []panel  `json:"panels"`
	Links      []link   `json:"links"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []annotation `json:"list"`
	} `json:"annotations"`

	file string
	text string
}

type panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Datasource  *datasource `json:"datasource"`
	Targets     []target    `json:"targets"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	FieldConfig struct {
		Defaults struct {
			Unit  string `json:"unit"`
			Links []link `json:"links"`

			Thresholds struct {
				Steps []struct{ Color string } `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
		Overrides []struct {
			Matcher    struct{ ID, Options any } `json:"matcher"`
			Properties []struct {
				ID    string          `json:"id"`
				Value json.RawMessage `json:"value"`
			} `json:"properties"`
		} `json:"overrides"`
	} `json:"fieldConfig"`
}

// link is that of the series of a name: of the last override that names it, or of all.
func (p panel) link(t *testing.T, series string) link {
	t.Helper()
	found := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		pattern, _ := o.Matcher.Options.(string)
		if o.Matcher.ID != "byRegexp" || !regexp.MustCompile(strings.Trim(pattern, "/")).MatchString(series) {
			continue
		}
		for _, property := range o.Properties {
			if property.ID != "links" {
				continue
			}
			found = nil // not the elements of the defaults
			if err := json.Unmarshal(property.Value, &found); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: %d links of %s", p.Title, len(found), series)
	}
	return found[0]
}

type target struct {
	RefID      string      `json:"refId"`
	Expr       string      `json:"expr"`
	Datasource *datasource `json:"datasource"`
	Instant    bool        `json:"instant"`
	Range      bool        `json:"range"`
}

type variable struct {
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Description string      `json:"description"`
	Query       string      `json:"query"`
	Multi       bool        `json:"multi"`
	IncludeAll  bool        `json:"includeAll"`
	AllValue    string      `json:"allValue"`
	Datasource  *datasource `json:"datasource"`
}

type annotation struct {
	Name       string      `json:"name"`
	Expr       string      `json:"expr"`
	IconColor  string      `json:"iconColor"`
	Datasource *datasource `json:"datasource"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type link struct {
	Type string   `json:"type"`
	Tags []string `json:"tags"`
	URL  string   `json:"url"`
}

// shown are the panels but for the headings of rows.
func (d dashboard) shown() []panel {
	var all []panel
	for _, p := range d.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
	}
	return all
}

// queries are all expressions by where they stand.
func (d dashboard) queries() map[string]string {
	all := map[string]string{}
	for _, p := range d.shown() {
		for _, t := range p.Targets {
			all[d.file+": "+p.Title+" "+t.RefID] = t.Expr
		}
	}
	for _, a := range d.Annotations.List {
		all[d.file+": annotation "+a.Name] = a.Expr
	}
	return all
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config, "grafana/dashboards/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no dashboards", err)
	}
	all := make([]dashboard, len(files))
	for i, file := range files {
		all[i].text = read(t, file)
		if err := json.Unmarshal([]byte(all[i].text), &all[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[i].file = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load decodes a YAML file, with no field that into does not have.
func load(t *testing.T, path string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, path)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// loadLoosely decodes the fields of a YAML file that into has.
func loadLoosely(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
