package observe_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/observe"
)

func TestReceiverTellsNews(t *testing.T) {
	t.Parallel()
	var told []string
	r, err := observe.NewReceiver(func(e observe.Event) {
		told = append(told, fmt.Sprintf("%s %s %t", e.Receiver, e.String(), e.Resolved))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"firing a", "firing a", "resolved b", "firing b", "resolved a", "resolved a"} {
		word, name, _ := strings.Cut(status, " ")
		body := fmt.Sprintf(`{"alerts":[{"status":%q,"fingerprint":%q,"startsAt":"2026-01-02T03:04:05Z",
			"labels":{"alertname":%q,"namespace":"n","severity":"warning","pod":"x"}}]}`, word, name, name)
		response, err := http.Post(r.URL("ticket"), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	want := []string{
		"ticket a severity=warning namespace=n false", "ticket b severity=warning namespace=n false",
		"ticket a severity=warning namespace=n true",
	}
	if diff := cmp.Diff(want, told); diff != "" || len(r.Events()) != len(want) {
		t.Errorf("%v\n%s", r.Events(), diff)
	}
}
