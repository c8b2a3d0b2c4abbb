package servers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/servers"
)

func TestOllamaFaults(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{})
	testFaults(t, o, func(ctx context.Context) error {
		answer, err := o.Generate(ctx, servers.Model, "How are you?") // starts its runner
		if err == nil && answer != " I am well" {
			t.Errorf("it answers %q", answer)
		}
		return err
	})
}

func TestOllamaModels(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	wantModels(t, o, nil)
	if err := o.CreateModel(t.Context(), "llama3"); err != nil {
		t.Fatal(err)
	}
	wantModels(t, o, []string{"llama3:latest"})
	if err := o.DeleteModel(t.Context(), "llama3"); err != nil {
		t.Fatal(err)
	}
	wantModels(t, o, nil)
	if err := o.DeleteModel(t.Context(), "llama3"); err == nil {
		t.Error("a missing model was deleted")
	}
}

func wantModels(t *testing.T, o *servers.Ollama, want []string) {
	t.Helper()
	reply, err := http.Get(o.Endpoint() + "/api/tags")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var tags struct{ Models []struct{ Name string } }
	if err := json.NewDecoder(reply.Body).Decode(&tags); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range tags.Models {
		got = append(got, m.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}
