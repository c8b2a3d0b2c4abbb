package rules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// silence says which of the alerts of one namespace a real Alertmanager with the sample
// configuration keeps to itself. Alerts are name, severity and service.
type silence struct {
	namespace string
	firing    []string
	silent    []string
}

func silences() []silence {
	return []silence{
		{
			"database-down",
			[]string{
				"DatabaseDown critical database", "DatabaseUnreachable warning database", "NotReady critical", "NotReady warning",
				"SchemaBehind warning database", "LatencyHigh warning database", "CredentialsFailing warning database",
				"Degraded warning database", "ErrorBudgetBurn critical database", "Flapping warning database",
				"DatabaseConnections critical database", "AppConnections warning database", "Held warning database", "Held warning redis",
				"DependencyDown warning redis", "Degraded warning minio", "ResultStale warning database", "Override warning",
			},
			[]string{
				"AppConnections warning database", "CredentialsFailing warning database", "DatabaseConnections critical database",
				"DatabaseUnreachable warning database", "Degraded warning database", "ErrorBudgetBurn critical database",
				"Flapping warning database", "Held warning database", "LatencyHigh warning database", "NotReady critical", "NotReady warning",
				"SchemaBehind warning database",
			},
		},
		{
			"dependency-down",
			[]string{
				"DependencyDown warning redis", "Flapping warning redis", "LatencyHigh warning minio",
				"ErrorBudgetBurn warning redis", "NotReady critical",
			},
			nil, // one Pod is enough for it, and says nothing of the others
		},
		{
			"severities",
			[]string{
				"DatabaseConnections critical database", "DatabaseConnections warning database",
				"ErrorBudgetBurn critical database", "ErrorBudgetBurn warning database", "ErrorBudgetBurn warning redis",
			},
			[]string{"DatabaseConnections warning database", "ErrorBudgetBurn warning database"},
		},
		{
			"causes",
			[]string{
				"CredentialsFailing warning database", "Degraded warning database", "Degraded warning redis",
				"SchemaBehind warning database", "NotReady warning", "SidecarStarved warning", "ResultStale warning minio",
			},
			[]string{"Degraded warning database", "NotReady warning", "ResultStale warning minio"},
		},
		{
			"schema-behind-everywhere",
			[]string{"SchemaBehind warning database", "NotReady critical"},
			nil, // the page stays
		},
		{
			"sidecars-gone",
			[]string{
				"SidecarAbsent critical", "DatabaseDown critical database", "DependencyDown warning redis",
				"SidecarCrashLooping warning", "SidecarStarved warning",
			},
			[]string{"DatabaseDown critical database", "DependencyDown warning redis"},
		},
		{
			"crash-loop",
			[]string{"SidecarCrashLooping warning", "SidecarAbsent warning", "DatabaseDown critical database"},
			[]string{"SidecarAbsent warning"},
		},
		{"elsewhere", []string{"SchemaBehind warning database", "Flapping warning redis"}, nil}, // no outage here
	}
}

func TestInhibition(t *testing.T) {
	t.Parallel()
	am := runAlertmanager(t)
	var all []map[string]any
	for _, s := range silences() {
		for _, alert := range s.firing {
			all = append(all, map[string]any{"labels": labels(s.namespace, alert)})
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(am.Endpoint()+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	want := map[string][]string{}
	for _, s := range silences() {
		if slices.Sort(s.silent); s.silent != nil {
			want[s.namespace] = s.silent
		}
	}
	awaitSilent(t, am, len(all), want)
}

func runAlertmanager(t *testing.T) *servers.Alertmanager {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(config, "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return servers.RunAlertmanager(t, servers.AlertmanagerOptions{Config: config})
}

func labels(namespace, alert string) map[string]string {
	words := strings.Fields(alert)
	all := map[string]string{"alertname": "ReimsHealth" + words[0], "severity": words[1], "namespace": namespace}
	if len(words) == 3 {
		all["service"] = words[2]
	}
	return all
}

// awaitSilent waits until Alertmanager has judged each of the alerts and keeps those to
// itself, by namespace, that it should.
func awaitSilent(t *testing.T, am *servers.Alertmanager, alerts int, want map[string][]string) {
	t.Helper()
	poll.Seen(t, 2*time.Minute, "the alerts that Alertmanager should keep to itself are silent", func() (string, bool) {
		silent, judged := ask(t, am)
		diff := cmp.Diff(want, silent)
		return fmt.Sprintf("%d of %d alerts are judged; silent (-want +got)\n%s", judged, alerts, diff), judged == alerts && diff == ""
	})
}

func ask(t *testing.T, am *servers.Alertmanager) (silent map[string][]string, judged int) {
	t.Helper()
	response, err := http.Get(am.Endpoint() + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	silent = map[string][]string{}
	for _, a := range alerts {
		if a.Status.State != "unprocessed" {
			judged++
		}
		if a.Status.State == "suppressed" {
			name := strings.TrimPrefix(a.Labels["alertname"], "ReimsHealth") + " " + a.Labels["severity"] + " " + a.Labels["service"]
			silent[a.Labels["namespace"]] = append(silent[a.Labels["namespace"]], strings.TrimSpace(name))
		}
	}
	for _, names := range silent {
		slices.Sort(names)
	}
	return silent, judged
}
