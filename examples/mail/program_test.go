package mail_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reims/reims-health/test/program"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/cli"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
)

// kinds are those of the program and the one of this folder. Nothing else is told of it.
func kinds() dependency.Kinds { return append(registry.Kinds(), mail.Kind()) }

// run executes a command line of the whole program, with variables from a .env file.
func run(ctx context.Context, t *testing.T, out io.Writer, variables []string, args ...string) (code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail.env")
	if err := os.WriteFile(file, []byte(strings.Join(variables, "\n")), 0o600); err != nil {
		t.Error(err)
	}
	return cli.Run(ctx, kinds(), append(args, "--env-file", file), out, out, cli.Build{Version: "1.2.3"})
}

// variables are those of a program that checks the mail server at that address alone.
func variables(t *testing.T, addr string, others ...string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return append(others, "HEALTH_SERVICES=mail", "MAIL_HOST="+host, "MAIL_PORT="+port, "MAIL_PROBE_TIMEOUT=1m",
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json")
}

// sidecar is a program that serves.
type sidecar struct{ url, metricsURL string }

// serve runs the program until the test ends, and returns once it has checked its service.
func serve(t *testing.T, variables []string) sidecar {
	t.Helper()
	var (
		out     program.Output
		running sync.WaitGroup
	)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	running.Go(func() {
		if code := run(ctx, t, &out, variables, "serve"); code != 0 {
			t.Errorf("serve: exit code %d:\n%s", code, out.String())
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	var serving struct {
		Msg     string `json:"msg"`
		Health  string `json:"health_addr"`
		Metrics string `json:"metrics_addr"`
	}
	poll.Until(t, "the addresses in the log", func() bool {
		return slices.ContainsFunc(strings.Split(out.String(), "\n"), func(line string) bool {
			return json.Unmarshal([]byte(line), &serving) == nil && serving.Msg == "serving"
		})
	})
	s := sidecar{"http://" + serving.Health, "http://" + serving.Metrics}
	poll.Until(t, "the first result", func() bool { return !strings.Contains(get(t, s.url+"/health"), `"unknown"`) })
	return s
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantAll(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q is not in:\n%s", what, want, text)
		}
	}
}

// A kind that only this folder knows is everywhere.
func TestKindInOneFolder(t *testing.T) {
	t.Parallel()
	addr := checking.Answering(t, smtp)
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		s := serve(t, variables(t, addr))
		wantAll(t, "/health", get(t, s.url+"/health"), `"services":{"mail":"healthy"}`)
		wantAll(t, "/health/mail", get(t, s.url+"/health/mail"),
			`"status":"healthy"`, `"message_max":`, `"greeting":"`+greeting+`"`)
		wantAll(t, "/metrics", get(t, s.metricsURL+"/metrics"),
			`reims_health_up{service="mail"} 1`, fmt.Sprintf("\nreims_health_mail_message_max_bytes{service=\"mail\"} %g\n", float64(messageMax)))
		wantAll(t, "the page", get(t, s.url+"/"), ">Mail<", "Largest message", "10.0 MiB", "Greeting", greeting)
		check(t, s, "mail")
	})
	t.Run("of any name", func(t *testing.T) {
		t.Parallel()
		s := serve(t, []string{
			"HEALTH_SERVICES=post-office", "POST_OFFICE_CHECK=smtp://" + addr, "POST_OFFICE_PROBE_TIMEOUT=1m",
			"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json",
		})
		wantAll(t, "/health", get(t, s.url+"/health"), `"services":{"post-office":"healthy"}`)
		wantAll(t, "/health/post-office", get(t, s.url+"/health/post-office"), `"greeting":"`+greeting+`"`)
		wantAll(t, "/metrics", get(t, s.metricsURL+"/metrics"),
			`reims_health_up{service="post-office"} 1`, `reims_health_mail_message_max_bytes{service="post-office"} `)
		check(t, s, "post-office")
	})
	t.Run("safe answers", func(t *testing.T) {
		t.Parallel()
		s := serve(t, variables(t, addr, "HEALTH_DETAILS=safe"))
		wantAll(t, "/health/mail", get(t, s.url+"/health/mail"), `"message_max":`)
		for _, path := range []string{"/health/mail", "/health/detailed", "/"} {
			if body := get(t, s.url+path); strings.Contains(body, greeting) {
				t.Errorf("%s names the server with HEALTH_DETAILS=safe:\n%s", path, body)
			}
		}
		check(t, s, "mail")
	})
	t.Run("reason", func(t *testing.T) {
		t.Parallel()
		s := serve(t, variables(t, checking.Answering(t, greet("554 no\r\n"))))
		wantAll(t, "/health/mail", get(t, s.url+"/health/mail"),
			`"status":"unhealthy"`, `"reason":"no_mail_service"`, "the server offers this client no mail service")
		wantAll(t, "/metrics", get(t, s.metricsURL+"/metrics"), `reims_health_up{service="mail"} 0`, `reason="no_mail_service"`)
	})
	t.Run("commands", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			args []string
			want []string
		}{
			{[]string{"config"}, []string{"MAIL_HOST", "MAIL_PORT", "MAIL_TLS", "MAIL_READINESS", "HEALTH_SERVICES"}},
			{[]string{"check", "detailed", "--direct"}, []string{"mail  healthy", "Largest message", greeting}},
			{[]string{"wait", "--for", "mail", "--timeout", "10m"}, []string{"mail: ready"}},
			{[]string{"wait", "--help"}, []string{"redis, minio, ollama, mail, or a service that"}},
		} {
			var out program.Output
			if code := run(t.Context(), t, &out, variables(t, addr), c.args...); code != 0 {
				t.Errorf("%v: exit code %d", c.args, code)
			}
			wantAll(t, strings.Join(c.args, " "), out.String(), c.want...)
		}
	})
	t.Run("configuration errors", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ variable, want string }{
			{"MAIL_PORT=0", `MAIL_PORT: "0" is not a whole number from 1 to 65535`},
			{"MAIL_HOST=a b", `MAIL_HOST: "a b" is not`},
			{"MAIL_READINESS_GRACE=5s", "MAIL_READINESS_GRACE: needs MAIL_READINESS=strict"},
			{"HEALTH_SERVICES=mial", `there is no service "mial": did you mean mail? Another one needs MIAL_CHECK`},
			{"HEALTH_SERVICES=post", "POST_CHECK: missing"},
		} {
			var out program.Output
			if code := run(t.Context(), t, &out, []string{c.variable}, "config"); code != 2 {
				t.Errorf("%s: exit code %d, want 2", c.variable, code)
			}
			wantAll(t, c.variable, out.String(), c.want)
		}
	})
}

// check runs the command against a sidecar.
func check(t *testing.T, s sidecar, service string) {
	t.Helper()
	var out program.Output
	if code := run(t.Context(), t, &out, nil, "check", "endpoints", "--url", s.url, "--metrics-url", s.metricsURL); code != 0 {
		t.Errorf("check: exit code %d", code)
	}
	wantAll(t, "check", out.String(), "/health/"+service)
}

// The Helm chart refuses what the program refuses.
func TestChartRules(t *testing.T) {
	t.Parallel()
	rules := config.Export(kinds().Services())
	port := rules.Variables["MAIL_PORT"]
	if port.Default != "25" || port.Number == nil || port.Number.Max != 65535 || rules.Variables["MAIL_HOST"].Format != "host" {
		t.Errorf("the rules on MAIL_PORT are %+v, those on MAIL_HOST %+v", port, rules.Variables["MAIL_HOST"])
	}
	found := slices.ContainsFunc(rules.Contradictions, func(c config.Contradiction) bool { return c.Variables[0] == "MAIL_READINESS_GRACE" })
	if !found {
		t.Error("no rule on MAIL_READINESS_GRACE")
	}
}

// The page shows the files as they are.
func TestPageShowsTheFiles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/adding-a-kind.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		language := "yaml"
		if filepath.Ext(name) == ".go" {
			language = "go"
		}
		if !strings.Contains(string(page), "```"+language+"\n"+string(text)+"```\n") {
			t.Errorf("docs/adding-a-kind.md does not show examples/mail/%s as it is: paste it in again", name)
		}
	}
}
