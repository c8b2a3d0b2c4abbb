package servers_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

func TestPrometheus(t *testing.T) {
	t.Parallel()
	p := servers.RunPrometheus(t, servers.PrometheusOptions{
		Config: []byte("rule_files: [rules/*.yaml]"),
		Files:  map[string][]byte{"rules/a.yaml": []byte("groups: [{name: there, rules: []}]")},
	})
	if _, err := os.Stat(filepath.Join(p.Dir(), "rules", "a.yaml")); err != nil {
		t.Error(err)
	}
	testFaults(t, p, func(ctx context.Context) error { return answers(ctx, p.Endpoint()+"/api/v1/rules") })
}

func TestAlertmanager(t *testing.T) {
	t.Parallel()
	am := servers.RunAlertmanager(t, servers.AlertmanagerOptions{
		Config: []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]"),
	})
	testFaults(t, am, func(ctx context.Context) error { return answers(ctx, am.Endpoint()+"/api/v2/status") })
}

// answers sends a GET and wants a 200.
func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return nil
}
