package dashboards_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
)

// ours is how everything names its datasource: by the dashboard's variable.
var ours = datasource{Type: "prometheus", UID: "${datasource}"}

func TestDashboardsAreThere(t *testing.T) {
	t.Parallel()
	var files []string
	titles, uids := map[string]string{}, map[string]string{}
	for _, d := range dashboards(t) {
		files = append(files, d.file)
		if d.UID != "reims-health-"+d.file || len(d.UID) > 40 {
			t.Errorf("%s has the UID %q", d.file, d.UID)
		}
		if d.ID != nil || !d.Editable {
			t.Errorf("%s: id %v, editable %v; want no id, and a dashboard that can be tried out and copied", d.file, d.ID, d.Editable)
		}
		if !slices.Equal(d.Tags, []string{"reims-health"}) {
			t.Errorf("%s has the tags %v", d.file, d.Tags)
		}
		if other, taken := titles[d.Title]; taken {
			t.Errorf("%s and %s have one title: %s", d.file, other, d.Title)
		}
		titles[d.Title], uids[d.UID] = d.file, d.file
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(services(), "overview", anyService))), files); diff != "" {
		t.Error(diff)
	}
	for _, d := range dashboards(t) {
		checkLinks(t, d, uids)
	}
}

// anyService is the dashboard of services that have none of their own.
const anyService = "service"

// services are those that have always been of a kind: each has a dashboard.
func services() []string {
	var names []string
	for _, k := range registry.Kinds() {
		if k.Service != "" {
			names = append(names, k.Service)
		}
	}
	return names
}

// Each metric that a kind declares is on its dashboard, but for one that only completes a
// share of which another is. Those with the label service are on that of any service too.
func TestDashboardsShowEveryGauge(t *testing.T) {
	t.Parallel()
	asked := make(map[string]string)
	for _, d := range dashboards(t) {
		for _, p := range d.shown() {
			for _, q := range p.Targets {
				asked[d.file] += q.Expr + "\n"
			}
		}
	}
	gauges := 0
	for _, k := range registry.Kinds() {
		if k.Service == "" {
			continue // there is no dashboard of its own
		}
		shown := func(measure string) bool {
			return regexp.MustCompile(`\b` + k.Measure(measure).Gauge.Name + `\{`).MatchString(asked[k.Service])
		}
		for _, m := range k.Measures {
			if m.Gauge.Name == "" {
				continue
			}
			gauges++
			if labelled := regexp.MustCompile(`\b` + m.Gauge.Name + `\{[^}]*service="\$service"`).MatchString(asked[anyService]); labelled != strings.HasPrefix(m.Gauge.Name, "reims_health_") {
				t.Errorf("%s.json shows %s: %t", anyService, m.Gauge.Name, labelled)
			}
			if k.Service == "" {
				continue
			}
			completes := slices.ContainsFunc(k.Shares, func(s health.Share) bool {
				return slices.Contains(s.Names(), m.Name) && slices.ContainsFunc(s.Names(), shown)
			})
			if !shown(m.Name) && !completes {
				t.Errorf("%s.json does not show %s: run make update-docs update-dashboards update-chart", k.Service, m.Gauge.Name)
			}
		}
	}
	if gauges < 10 {
		t.Errorf("%d gauges", gauges)
	}
}

// checkLinks: every dashboard leads to the others, and a panel's link to one that is there.
func checkLinks(t *testing.T, d dashboard, uids map[string]string) {
	t.Helper()
	if len(d.Links) != 1 || d.Links[0].Type != "dashboards" || !slices.Equal(d.Links[0].Tags, d.Tags) {
		t.Errorf("%s: links = %+v, want one to the dashboards tagged alike", d.file, d.Links)
	}
	for _, p := range d.shown() {
		if len(p.FieldConfig.Defaults.Links) == 0 {
			continue
		}
		for _, service := range append(services(), "orders", anyService) {
			path, query, _ := strings.Cut(strings.ReplaceAll(p.link(t, service).URL, "${__field.labels.service}", service), "?")
			want := service
			if !slices.Contains(services(), service) {
				want = anyService
			}
			if uids[strings.TrimPrefix(path, "/d/")] != want || !strings.Contains(query, "&var-service="+service+"&") || !strings.Contains(query, "${cluster:queryparam}") {
				t.Errorf("%s: %s links %s to %s?%s", d.file, p.Title, service, path, query)
			}
		}
	}
}

// The name of an alert that fires leads to the page that its runbook_url names.
func TestFiringAlertsLeadToTheirRunbooks(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range dashboards(t) {
		for _, p := range d.shown() {
			for _, o := range p.FieldConfig.Overrides {
				if o.Matcher.ID != "byName" || o.Matcher.Options != "alertname" {
					continue
				}
				var links []link
				for _, property := range o.Properties {
					if err := json.Unmarshal(property.Value, &links); property.ID != "links" || err != nil || len(links) != 1 {
						t.Fatalf("%s: %s: %s: %v, %d links", d.file, p.Title, property.ID, err, len(links))
					}
				}
				for _, group := range ruleGroups(t) {
					for _, rule := range group.Rules {
						if rule.Alert == "" {
							continue
						}
						found++
						if have := strings.ReplaceAll(links[0].URL, "${__value.text}", rule.Alert); have != rule.Annotations["runbook_url"] {
							t.Errorf("%s: %s leads to %s, and its runbook is %s", p.Title, rule.Alert, have, rule.Annotations["runbook_url"])
						}
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d alerts have a link", found)
	}
}

// Measures with the label service add up over services unless a query asks for one of them.
func TestQueriesOfServicesAskForOne(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		if d.file == "overview" {
			continue
		}
		own := `service="` + d.file + `"`
		if d.file == anyService {
			own = `service="$service"`
		}
		for where, expr := range d.queries() {
			for _, selected := range regexp.MustCompile(`reims_health_\w+\{[^}]*\}`).FindAllString(expr, -1) {
				if !strings.Contains(selected, own) {
					t.Errorf("%s: %s has no %s", where, selected, own)
				}
			}
		}
	}
}

func TestPanelsSayWhatTheyShow(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] {
				t.Errorf("%s: %s: id %d is none of its own", d.file, p.Title, p.ID)
			}
			ids[p.ID] = true
			if p.Title == "" || (p.Type != "row" && titles[p.Title]) {
				t.Errorf("%s: panel %d: title %q is none of its own", d.file, p.ID, p.Title)
			}
			titles[p.Title] = p.Type != "row"
		}
		for _, p := range d.shown() {
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s: %s: description %q", d.file, p.Title, p.Description)
			}
			if p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s: %s has no unit", d.file, p.Title)
			}
			if p.Type == "stat" && len(p.FieldConfig.Defaults.Thresholds.Steps) == 0 {
				t.Errorf("%s: %s has no thresholds; Grafana's own turn red at 80", d.file, p.Title)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: %s asks for nothing", d.file, p.Title)
			}
		}
	}
}

// Every query goes where the variable points; no UID of somebody's Grafana slips in.
func TestDatasourceIsTheVariable(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		used := map[string]*datasource{}
		for _, p := range d.shown() {
			used[p.Title] = p.Datasource
			for _, q := range p.Targets {
				used[p.Title+" "+q.RefID] = q.Datasource
				if q.Instant == q.Range {
					t.Errorf("%s: %s %s is neither instant nor range, or both", d.file, p.Title, q.RefID)
				}
			}
		}
		for _, a := range d.Annotations.List {
			used["annotation "+a.Name] = a.Datasource
		}
		for _, v := range d.Templating.List[1:] {
			used["variable "+v.Name] = v.Datasource
		}
		for where, have := range used {
			if have == nil || *have != ours {
				t.Errorf("%s: %s has the datasource %v", d.file, where, have)
			}
		}
		for _, word := range []string{"__inputs", "${DS_", "-- Grafana --"} {
			if strings.Contains(d.text, word) {
				t.Errorf("%s contains %s", d.file, word)
			}
		}
		if all, named := strings.Count(d.text, `"datasource": {`), strings.Count(d.text, `"uid": "${datasource}"`); all != named {
			t.Errorf("%s: %d datasources, %d of them the variable", d.file, all, named)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	want := []variable{
		{Name: "datasource", Type: "datasource", Query: "prometheus"},
		{Name: "cluster", Type: "query", Query: "label_values(reims_health_up, cluster)"},
		{Name: "namespace", Type: "query", Query: `label_values(reims_health_up{cluster=~"$cluster"}, namespace)`},
		{Name: "pod", Type: "query", Query: `label_values(reims_health_up{cluster=~"$cluster", namespace=~"$namespace"}, pod)`},
	}
	for i := range want[1:] {
		v := &want[i+1]
		v.Multi, v.IncludeAll, v.AllValue, v.Datasource = true, true, ".*", &ours
	}
	service := variable{
		Name: "service", Type: "query", Datasource: &ours,
		Query: `label_values(reims_health_up{cluster=~"$cluster", namespace=~"$namespace", service!~"` + strings.Join(services(), "|") + `"}, service)`,
	}
	for _, d := range dashboards(t) {
		want := slices.Clone(want)
		if d.file == anyService {
			want = append(want, service)
		}
		have := slices.Clone(d.Templating.List)
		for i := range have {
			if have[i].Description == "" {
				t.Errorf("%s: variable %s has no description", d.file, have[i].Name)
			}
			have[i].Description = ""
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: variables (-want +got)\n%s", d.file, diff)
		}
	}
}

// The colours of the statuses are the same in marks, in timelines and everywhere.
func TestTransitionsAreMarked(t *testing.T) {
	t.Parallel()
	colours := map[string]string{"healthy": "green", "degraded": "yellow", "unhealthy": "red"}
	for _, d := range dashboards(t) {
		have := map[string]string{}
		for _, a := range d.Annotations.List {
			_, to, _ := strings.Cut(a.Name, "Turned ")
			have[to] = a.IconColor
			if !strings.Contains(a.Expr, `to="`+to+`"`) {
				t.Errorf("%s: %s asks for %s", d.file, a.Name, a.Expr)
			}
		}
		if diff := cmp.Diff(colours, have); diff != "" {
			t.Errorf("%s: marks (-want +got)\n%s", d.file, diff)
		}
		own := `service="` + d.file + `"`
		if d.file == anyService {
			own = `service="$service"`
		}
		if d.file != "overview" && !strings.Contains(d.Annotations.List[0].Expr, own) {
			t.Errorf("%s marks transitions of other services", d.file)
		}
	}
}

func TestGrid(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			g := p.GridPos
			if g.X < 0 || g.Y < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > 24 {
				t.Errorf("%s: %s at %+v is off the 24 columns", d.file, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, is := taken[[2]int{x, y}]; is {
						t.Fatalf("%s: %s lies on %s", d.file, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
