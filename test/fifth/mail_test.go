package fifth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/metrics"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/fifth"
)

// A service that no other package has heard of gets a verdict, its endpoint and its
// metrics from its one file.
func TestFifthServiceInOneFile(t *testing.T) {
	t.Parallel()
	mail := &health.Service{
		Name: "mail", Checker: &fifth.Mail{Addr: greeter(t, "220 mail.reims.test ESMTP\r\n")},
		Interval: time.Second, Timeout: time.Second, FailureThreshold: 2, SuccessThreshold: 1,
		Readiness: health.PolicyIgnore,
	}
	monitor, err := health.NewMonitor([]*health.Service{mail})
	if err != nil {
		t.Fatal(err)
	}
	handler := server.NewHandler(monitor, server.Options{Details: server.Full})
	prom := metrics.New(metrics.BuildInfo{Version: "test"}, []*health.Service{mail}, monitor.View, slog.New(slog.DiscardHandler))
	monitor.Subscribe(handler.Publish, prom.Observe)
	updates := monitor.Updates()
	watch(t, monitor)
	for v := range updates {
		if v.Results()[0].Checks > 0 {
			break
		}
	}

	body := get(t, handler, "/health/mail")
	var answer struct {
		Status  string
		Details struct{ Greeting string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if answer.Status != "healthy" || answer.Details.Greeting != "mail.reims.test ESMTP" {
		t.Errorf("GET /health/mail: %s", body)
	}
	if body := get(t, handler, "/health"); !strings.Contains(body, `"services":{"mail":"healthy"}`) {
		t.Errorf("GET /health: %s", body)
	}
	if scrape := get(t, prom.Handler(), "/metrics"); !strings.Contains(scrape, `reims_health_up{service="mail"} 1`) {
		t.Errorf("GET /metrics has no mail:\n%s", scrape)
	}
}

func TestMailFaults(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for name, tt := range map[string]struct {
		addr string
		want string
	}{
		"refused":    {closed.Addr().String(), "refused"},
		"reset":      {greeter(t, ""), "reset"},
		"overloaded": {greeter(t, "421 too many\r\n"), "overloaded"},
		"protocol":   {greeter(t, "554 no\r\n"), "protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&fifth.Mail{Addr: tt.addr}).Check(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want+":") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// The page shows the file itself.
func TestPageShowsTheFile(t *testing.T) {
	t.Parallel()
	code, err := os.ReadFile("mail.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/adding-a-service.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code2, _ := strings.Cut(string(code), "import (")
	if !strings.Contains(string(page), code2) {
		t.Error("docs/adding-a-service.md does not show test/fifth/mail.go as it is: paste it in again")
	}
}

// greeter sends every client a text and closes the connection when the client has
// answered, or at once where there is no text.
func greeter(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, text)
			if text != "" {
				_, _ = conn.Read(make([]byte, 64))
			}
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

func watch(t *testing.T, m *health.Monitor) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := m.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(watching.Wait)
	t.Cleanup(cancel)
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}
