package fleet_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/scenario"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// staged returns a collector after a zone has failed and a Pod has stopped answering.
func staged(t *testing.T) (*farm.Farm, *fleet.Collector, http.Handler) {
	t.Helper()
	f := farm.New(farm.Always(healthy))
	c, _ := collect(t, f, fleet.Options{})
	c.Set(target(farm.Pods(12, 2, 3)))
	bank := *target(farm.Pods(102, 2, 0)[100:])
	bank.Workload = fleet.Workload{Namespace: "bank", Name: "ledger"}
	c.Set(&bank)
	after(30 * time.Second)
	f.Set(func(a netip.AddrPort) farm.Behaviour {
		switch i := farm.Number(a); {
		case i == 5:
			return farm.Behaviour{Refused: true}
		case i < 12 && i/2%3 == 1:
			return refused
		default:
			return healthy
		}
	})
	after(30 * time.Second)
	return f, c, fleet.NewHandler(c, fleet.PageOptions{Instance: "fleet-0", Version: "v1.2.3"})
}

// varying matches what depends on the jitter of the requests.
var varying = regexp.MustCompile(`("(?:age|for|silent_for|answer_age|oldest_answer_age)_ms": )\d+`)

func TestAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, h := staged(t)
		var all strings.Builder
		for _, path := range []string{"/api/v1/workloads", "/api/v1/workloads/shop/reims", "/api/v1/workloads/shop/reims/pods/" + farm.Pods(3, 1, 0)[2].Name} {
			w := scenario.Get(h, path)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
			var indented strings.Builder
			var document json.RawMessage
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
				t.Fatal(err)
			}
			encoder := json.NewEncoder(&indented)
			encoder.SetIndent("", "  ")
			_ = encoder.Encode(document)
			fmt.Fprintf(&all, "=== GET %s\n%s", path, varying.ReplaceAllString(indented.String(), "${1}<age>"))
		}
		golden := all.String()
		if i := strings.Index(golden, `"changes"`); i > 0 { // how many steps a fault spread in depends on the jitter
			golden = regexp.MustCompile(`(?s)"changes": \[.*?\n  \],`).ReplaceAllString(golden, `"changes": [...],`)
		}
		scenario.Golden(t, filepath.Join("testdata", "api.golden"), []byte(golden), *update)

		before := f.Requests()
		for _, path := range []string{
			"/api/v1/workloads/shop/none", "/api/v1/workloads/none/reims", "/api/v1/workloads/shop/reims/pods/none", "/api/v1/workloads/shop",
			"/api/v1/workloads/bank/ledger/pods/" + farm.Pods(1, 1, 0)[0].Name, "/api/v1/workloads/shop/reims/pods/10.0.0.1:8008", "/api/", "/api/v2/workloads",
		} {
			if w := scenario.Get(h, path); w.Code != http.StatusNotFound || !strings.HasPrefix(w.Body.String(), `{"error":`) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			for _, path := range []string{"/api/v1/workloads", "/api/v1/workloads/shop/reims", "/", "/workloads/shop/reims"} {
				if w := scenario.Request(h, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s: %d %v", method, path, w.Code, w.Header())
				}
			}
		}
		if f.Requests() != before {
			t.Error("a Pod was asked for what is not one of its details")
		}
	})
}

// At most a few Pods are asked for details at a time, and their answers do not change the summary.
func TestDetailsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, c, h := staged(t)
		f.Set(farm.Always(farm.Behaviour{Silent: true}))
		pods := farm.Pods(12, 2, 3)
		codes := make(chan int, len(pods))
		for _, p := range pods {
			go func() { codes <- scenario.Get(h, "/api/v1/workloads/shop/reims/pods/"+p.Name).Code }()
		}
		after(3 * time.Second)
		count := map[int]int{}
		for range pods {
			count[<-codes]++
		}
		if count[http.StatusOK] != 4 || count[http.StatusServiceUnavailable] != 8 {
			t.Errorf("%v", count)
		}
		if s := c.Summary(shop); s.Answering < 11 {
			t.Errorf("%d answer", s.Answering)
		}
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, _, h := staged(t)
		pod := farm.Pods(3, 1, 0)[2].Name
		for _, c := range []struct {
			path  string
			code  int
			words []string
		}{
			{"/", 200, []string{
				"1 workload is degraded and 1 workload is healthy: 14 Pods in all.", "shop/reims", "12 Pods: 12 ready, 11 answering (no answer: 1 unreachable)",
				"Only in zone b: 4 of the 11 Pods that can tell.", ", as of <time", `href="pods/shop/reims/` + pod + `"`, `href="workloads/shop/reims"`, "Changes in the last hour", "fleet-0 v1.2.3",
				`<td class="unhealthy"><i>unhealthy: </i>refused</td>`, `<td class="healthy"><i>healthy</i></td>`, "no answer: unreachable",
			}},
			{"/workloads/shop/reims", 200, []string{"Only in zone b: 4 of the 11 Pods that can tell.", `href="../../pods/shop/reims/` + pod + `"`, `src="../../assets/`}},
			{"/pods/shop/reims/" + pod, 200, []string{"refused", "the connection was refused", "node node-001", "latency ms", "3.125", `href="../../../workloads/shop/reims"`}},
			{"/pods/shop/reims/" + farm.Pods(6, 1, 0)[5].Name, 200, []string{"It did not answer just now: unreachable."}},
			{"/pods/shop/reims/none", 404, []string{"Not found"}},
			{"/pods/none/reims/" + pod, 404, []string{"Not found"}},
			{"/workloads/none/reims", 404, []string{"Not found"}},
			{"/workloads/shop/reims?node=node-001", 200, []string{`href="../../workloads/shop/reims"`, "node node-001", `href="../../pods/shop/reims/` + pod + `"`}},
			{"/workloads/shop/reims?node=node-077", 404, []string{"Not found"}},
		} {
			w := scenario.Get(h, c.path)
			body := w.Body.String()
			if w.Code != c.code || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v", c.path, w.Code, w.Header())
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: %s", c.path, csp)
			}
			for _, word := range c.words {
				if !strings.Contains(body, word) {
					t.Errorf("%s lacks %q", c.path, word)
				}
			}
			inline(t, body)
			links := regexp.MustCompile(`"((?:\.\./)*assets/[^"]+)"`).FindAllStringSubmatch(body, -1)
			if len(links) < 4 {
				t.Errorf("%s: links %v", c.path, links)
			}
			for _, link := range links {
				if strings.Count(c.path, "/")-1 != strings.Count(link[1], "../") {
					t.Errorf("%s: the link %s", c.path, link[1])
				}
				if file := scenario.Get(h, "/"+strings.TrimLeft(link[1], "./")); file.Code != http.StatusOK || !strings.Contains(file.Header().Get("Cache-Control"), "immutable") {
					t.Errorf("%s: %d", link[1], file.Code)
				}
			}
		}
		for _, path := range []string{"/assets/", "/assets/page.css", "/pods", "/pods/shop/reims", "/workloads", "/index.html"} {
			if w := scenario.Get(h, path); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	})
}

// A Pod that is gone is not found, even if the latest round still had it.
func TestGonePod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, h := staged(t)
		pods := farm.Pods(12, 2, 3)
		c.Set(target(pods[1:]))
		if s := c.Summary(shop); s.Known != 12 {
			t.Fatalf("a round has ended: %d Pods", s.Known)
		}
		for _, path := range []string{"/api/v1/workloads/shop/reims/pods/", "/pods/shop/reims/"} {
			if w := scenario.Get(h, path+pods[0].Name); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, w.Code)
			}
			if w := scenario.Get(h, path+pods[1].Name); w.Code != http.StatusOK {
				t.Errorf("%s of a Pod that is there: %d", path, w.Code)
			}
		}
	})
}

// Responses are rendered once per second at most.
func TestAnswersAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, _, h := staged(t)
		pod := farm.Pods(12, 2, 3)[0].Node
		for _, path := range []string{"/", "/workloads/shop/reims", "/workloads/shop/reims?node=" + pod, "/api/v1/workloads", "/api/v1/workloads/shop/reims"} {
			first := scenario.Get(h, path).Body.String()
			after(900 * time.Millisecond)
			if scenario.Get(h, path).Body.String() != first {
				t.Errorf("%s was made again within a second", path)
			}
			after(100 * time.Millisecond)
			if scenario.Get(h, path).Body.String() == first {
				t.Errorf("%s is the same after a second", path)
			}
		}
		if scenario.Get(h, "/workloads/shop/reims").Body.String() == scenario.Get(h, "/workloads/bank/ledger").Body.String() {
			t.Error("two workloads have one page")
		}
	})
}

// inline fails the test if a page has something that its content security policy does not allow.
func inline(t *testing.T, body string) {
	t.Helper()
	for what, pattern := range map[string]string{
		"a style": `(?i)\sstyle=|<style`, "a handler": `(?i)\son\w+=`, "a script": `<script[^>]*>[^<]`,
		"another place": `(?i)(src|href)="(https?:)?//`, "an absolute path, which fails behind a proxy": `(src|href)="/`,
	} {
		if found := regexp.MustCompile(pattern).FindString(body); found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
}

// Everything from a Pod is escaped as text.
func TestPagesEscape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const markup = `<script>alert(1)</script>`
		body := `{"services":{"database":"unhealthy"},"details":{"database":{"reason":"` + markup + `","note":"` + markup + `","<b>":"x","long":"` +
			strings.Repeat("x", 300) + `","control":"a\u0000b","deep":{"a":[1]},"flag":true,"big":1e400}}}`
		f := farm.New(farm.Always(farm.Behaviour{Response: farm.Respond(body)}))
		c, _ := collect(t, f, fleet.Options{})
		pods := farm.Pods(2, 1, 0)
		pods[0].Name, pods[0].Node = `"><img src=x>`, markup
		c.Set(target(pods))
		after(10 * time.Second)
		h := fleet.NewHandler(c, fleet.PageOptions{})
		for _, path := range []string{"/", "/workloads/shop/reims", "/pods/shop/reims/" + pods[1].Name, "/pods/shop/reims/%22%3E%3Cimg%20src=x%3E"} {
			w := scenario.Get(h, path)
			if got := w.Body.String(); w.Code != http.StatusOK || strings.Contains(got, markup) || strings.Contains(got, "<img src=x") || strings.Contains(got, "<b>x") || !strings.Contains(got, "other") {
				t.Errorf("%s: %d\n%s", path, w.Code, got)
			}
		}
		got := scenario.Get(h, "/api/v1/workloads/shop/reims/pods/"+pods[1].Name).Body.String()
		for _, absent := range []string{"xxxx", "control", "deep", `"<b>"`} {
			if strings.Contains(got, absent) {
				t.Errorf("%s is told: %s", absent, got)
			}
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := staged(t)
		m := fleet.NewMetrics(c)
		problems, err := testutil.CollectAndLint(m)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(m)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
		for _, family := range families {
			if err := encoder.Encode(family); err != nil {
				t.Fatal(err)
			}
		}
		// Ages and the number of requests depend on the jitter.
		got := regexp.MustCompile(`(?m)^(reims_fleet_(?:oldest|questions)[^ ]+ )[1-9].*$`).ReplaceAllString(text.String(), "${1}<value>")
		scenario.Golden(t, filepath.Join("testdata", "metrics.golden"), []byte(got), *update)
	})
}

// All endpoints work without any workload.
func TestNothing(t *testing.T) {
	t.Parallel()
	c := fleet.NewCollector(fleet.Options{})
	h := fleet.NewHandler(c, fleet.PageOptions{})
	if w := scenario.Get(h, "/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No workloads") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := scenario.Get(h, "/api/v1/workloads"); !strings.HasPrefix(w.Body.String(), `{"workloads":[],`) {
		t.Errorf("%s", w.Body)
	}
	if n := testutil.CollectAndCount(fleet.NewMetrics(c)); n != 0 {
		t.Errorf("%d metrics", n)
	}
}
