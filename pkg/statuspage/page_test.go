package statuspage_test

import (
	"bytes"
	"flag"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/dependency/s3"

	"golang.org/x/net/html"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/statuspage"
	"github.com/reims/reims-health/test/scenario"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPageGolden holds the page against testdata, to be rewritten with -update: as a
// person reads it, and one of them as it is.
func TestPageGolden(t *testing.T) {
	t.Parallel()
	pages := map[string]scenario.Scenario{"an_hour": scenario.AnHour()}
	maps.Copy(pages, scenario.All())
	for name, s := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all bytes.Buffer
			var source []byte
			synctest.Test(t, func(t *testing.T) {
				for _, details := range []server.Details{server.Full, server.Safe, server.Off} {
					body := getPage(t, s.Handler(details)).Bytes()
					if details == server.Full {
						source = bytes.ReplaceAll(hashed.ReplaceAll(body, []byte("-HASH.")), []byte("><"), []byte(">\n<"))
					}
					all.WriteString("=== " + string(details) + "\n" + legible(t, body) + "\n")
				}
			})
			scenario.Golden(t, filepath.Join("testdata", name+".golden"), all.Bytes(), *update)
			if name == "an_hour" {
				scenario.Golden(t, filepath.Join("testdata", name+".html"), source, *update)
			}
		})
	}
}

// hashed is the end of a file's name that changes with its content.
var hashed = regexp.MustCompile(`-[0-9a-f]{12}\.`)

func getPage(t *testing.T, h http.Handler) *bytes.Buffer {
	t.Helper()
	w := scenario.Get(h, "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
		t.Fatalf("/: %d, %v\n%s", w.Code, w.Header(), w.Body)
	}
	return w.Body
}

// legible is the text of a page, one line per element, with what drawings say.
func legible(t *testing.T, page []byte) string {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	block := map[string]bool{"p": true, "h1": true, "h2": true, "h3": true, "li": true, "div": true, "article": true, "figcaption": true, "nav": true, "section": true, "summary": true}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		if n.Type == html.ElementNode {
			if n.Data == "noscript" || n.Data == "title" {
				return
			}
			if block[n.Data] {
				b.WriteString("\n")
			}
			if n.Data == "span" || n.Data == "dd" {
				b.WriteString(" ")
			}
			for _, a := range n.Attr {
				if a.Key == "aria-label" && n.Data == "svg" {
					b.WriteString("\n[" + a.Val + "]")
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	var lines []string
	for line := range strings.Lines(b.String()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestPageHeaders(t *testing.T) {
	t.Parallel()
	h := scenario.All()["healthy"].Handler(server.Full)
	page := scenario.Get(h, "/")
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(links) < 3 {
		t.Fatalf("links: %v", links)
	}
	type want struct{ contentType, cache string }
	wants := map[string]want{"/": {"text/html; charset=utf-8", "no-store"}}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, link := range links {
		wants["/"+link[1]] = want{types[filepath.Ext(link[1])], "public, max-age=31536000, immutable"}
	}
	for path, want := range wants {
		w := scenario.Get(h, path)
		header := w.Header()
		csp := header.Get("Content-Security-Policy")
		if w.Code != http.StatusOK || header.Get("Content-Type") != want.contentType || header.Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d %v", path, w.Code, header)
		}
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, header)
		}
		if head := scenario.Request(h, http.MethodHead, path); head.Code != http.StatusOK || head.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, head.Code, head.Body.Len())
		}
		if post := scenario.Request(h, http.MethodPost, path); post.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, post.Code)
		}
	}
	for _, path := range []string{"/assets", "/assets/", "/assets/page.css", "/index.html", "//"} {
		if w := scenario.Get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// The policy allows nothing inline: there must not be anything either.
func TestPageHasNothingInline(t *testing.T) {
	t.Parallel()
	body := getPage(t, scenario.AnHour().Handler(server.Full)).String()
	for what, pattern := range map[string]string{
		"a style": `(?i)\sstyle=|<style`, "a handler": `(?i)\son\w+=`, "a script": `<script[^>]*>[^<]`,
		"another place": `(?i)(src|action)="(https?:)?//|<(link|base|use|image)[^>]*href="(https?:)?//`, "an absolute path, which fails behind a proxy": `(src|href)="/`,
	} {
		if found := regexp.MustCompile(pattern).FindString(body); found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
}

// flapping is a page at its fullest: nothing stands still for an hour.
func flapping() scenario.Scenario {
	s := scenario.Scenario{History: scenario.History{}}
	for _, svc := range scenario.Services(0) {
		s.History[svc.Name] = scenario.Busy(time.Hour-time.Second, 5*time.Second, func(ago time.Duration) *health.Fault {
			if ago/(10*time.Second)%2 == 0 {
				return &health.Fault{Reason: health.ReasonDatabaseMissing, Message: strings.Repeat("a long message ", 10)}
			}
			return nil
		})
	}
	return s
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	h := flapping().Handler(server.Full)
	body := getPage(t, h).String()
	size := len(body)
	for _, link := range regexp.MustCompile(`(?:href|src)="(assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		size += scenario.Get(h, "/"+link[1]).Body.Len()
	}
	if size > 60_000 || size < 20_000 {
		t.Errorf("the page and its files have %d bytes", size)
	}
}

// TestPageSizeOfMany: sixteen services whose every step differs from the one before.
func TestPageSizeOfMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // a busy machine lets no result grow old
		now := time.Now()
		var services []*health.Service
		for i := range 16 {
			service := *scenario.Services(0)[i%4]
			service.Name = "warehouse-" + strconv.Itoa(i)
			services = append(services, &service)
		}
		told, results := history.New(services), make([]health.Result, 16)
		for i, service := range services {
			results[i] = health.NewResult(service, now.Add(-time.Hour))
		}
		var latest *health.View
		for at := now.Add(-time.Hour + time.Second); at.Before(now); at = at.Add(5 * time.Second) {
			for i := range services {
				outcome := scenario.Outcome([]string{"database", "redis", "minio", "ollama"}[i%4], at, nil)
				outcome.Observation.Latency += time.Duration(at.Unix()%97) * time.Millisecond
				if at.Sub(now)/time.Minute%2 == 0 {
					outcome.Fault = &health.Fault{Reason: health.ReasonRefused, Message: strings.Repeat("a long message ", 10)}
				}
				results[i] = results[i].Next(outcome)
			}
			latest = health.NewView(at, slices.Clone(results), health.NoOverride, false)
			told.Observe(latest)
		}
		if size := getPage(t, scenario.WithPage(&scenario.Monitor{Latest: latest}, told, server.Full)).Len(); size > 180_000 || size < 80_000 {
			t.Errorf("the page of sixteen services has %d bytes", size)
		}
	})
}

// Whatever a service calls itself is text, and nothing else.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	const hostile = `</dd><script>alert(1)</script><img src=x onerror=alert(2)>"'` + "`{{.}}&lt;"
	v := scenario.AllWell().View(0)
	results := slices.Clone(v.Results())
	_, told := scenario.All()["healthy"].Remembered()
	results[1] = results[1].Next(health.Outcome{Finished: v.Time(), Observation: health.Observation{
		Latency: time.Millisecond, Values: []health.Value{
			health.Text("version", hostile), health.List("buckets", []string{hostile}), health.Number("<b>", 1),
		},
	}})
	bad := health.Outcome{Finished: v.Time(), Fault: &health.Fault{Reason: s3.ReasonBucketMissing, Message: hostile}}
	results[2] = results[2].Next(bad).Next(bad)
	v = health.NewView(v.Time(), results, health.NoOverride, false)
	h := scenario.WithPage(&scenario.Monitor{Latest: v}, told, server.Full)
	body := getPage(t, h)
	for _, word := range []string{"<script>alert", "<img src=x", "<b>1", "<dt><b>"} {
		if strings.Contains(body.String(), word) {
			t.Errorf("the page holds %s", word)
		}
	}
	if text := legible(t, body.Bytes()); strings.Count(text, strings.ReplaceAll(hostile, "  ", " ")) != 3 {
		t.Errorf("what it calls itself is not shown as it is:\n%s", text)
	}
}

// TestPageWithholding looks for every name, version and message, and shows the page
// to anonymous readers and to those with the token alike.
func TestPageWithholding(t *testing.T) {
	t.Parallel()
	for name, s := range scenario.All() {
		for _, v := range scenario.Readers() {
			last, _ := s.Remembered()
			body := v.Get(s.Handler(v.Details), "/").Body.String()
			if strings.Contains(body, "canary") {
				t.Errorf("%s as %s: the driver's text is shown", name, v)
			}
			shown := v.Details == server.Full
			for _, secret := range append(naming(last), scenario.Instance, "v1.2.3") {
				if got := strings.Contains(body, html.EscapeString(secret)); got != shown {
					t.Errorf("%s as %s shows %q: %t", name, v, secret, got)
				}
			}
			if numbers := regexp.MustCompile(`\d ms|KiB|MiB`).MatchString(body); numbers && v.Details == server.Off {
				t.Errorf("%s as %s shows numbers", name, v)
			}
		}
	}
}

// naming returns what a view holds that only trusted readers may see, without the messages that tell no more than their reason.
func naming(v *health.View) []string {
	var names []string
	for _, r := range v.Results() {
		for _, m := range r.Last.Observation.Values {
			names = append(names, m.List...)
			if m.Text != "" {
				names = append(names, m.Text)
			}
		}
		if r.Message() != r.ReasonText() {
			names = append(names, r.Message()[1:]) // its first letter is made a capital
		}
	}
	return names
}

// advance moves the bubble's clock.
func advance(d time.Duration) { <-time.After(d) }

var asOf = regexp.MustCompile(`class="asof">as of <time datetime="[^"]+`)

// TestPageTurnsOnTime publishes nothing: the page must not go on showing green.
func TestPageTurnsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := scenario.AnHour().Handler(server.Full)
		verdict := func() string { return strings.Split(legible(t, getPage(t, h).Bytes()), "\n")[4] }
		if got := verdict(); got != "Overall: Degraded" {
			t.Error(got)
		}
		before := asOf.FindString(getPage(t, h).String())
		advance(2 * time.Second)
		if after := asOf.FindString(getPage(t, h).String()); before == "" || after == before {
			t.Errorf("the script takes it for a repeated answer: %q after %q", after, before)
		}
		advance(9*time.Second + time.Millisecond)
		if got := verdict(); got != "Overall: Unhealthy" {
			t.Error(got)
		}
	})
}

// TestPageBetween has a reader come between the monitor, which shows its latest view
// first, and the handler, which is told of it next: once it is, the page shows the result.
func TestPageBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		last, told := scenario.AnHour().Remembered()
		monitor := &scenario.Monitor{Latest: last}
		h := scenario.WithPage(monitor, told, server.Full)
		advance(time.Second)
		results := slices.Clone(last.Results())
		results[0] = results[0].Next(scenario.Outcome("database", time.Now(), nil))
		next := health.NewView(time.Now(), results, health.NoOverride, false)
		monitor.Latest = next
		getPage(t, h)
		h.Publish(next)
		if page := legible(t, getPage(t, h).Bytes()); !strings.Contains(page, "Last checked 00:00:01 , just now") {
			t.Errorf("the page is that of the old view:\n%s", page)
		}
	})
}

// What was rendered for a reader is not kept when another view is there: it is large, and
// there may be no other reader.
func TestPageForgotten(t *testing.T) {
	t.Parallel()
	last, told := scenario.All()["healthy"].Remembered()
	p := scenario.NewPage(&scenario.Monitor{Latest: last}, told, server.Full)
	getPage(t, p)
	if !p.Keeps() {
		t.Error("nothing is kept for the next reader")
	}
	next := *last
	if p.Publish(&next); p.Keeps() {
		t.Error("what is out of date is kept")
	}
}

// counting is a history that counts how often samples are read.
type counting struct {
	statuspage.History
	looks int
}

func (c *counting) Samples(service string, since time.Time) []health.Sample {
	c.looks++
	return c.History.Samples(service, since)
}

// TestPageMadeOnce asks a lot of one view: the past is looked at once per second.
func TestPageMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		last, told := scenario.AnHour().Remembered()
		c := &counting{History: told}
		p := statuspage.New(&scenario.Monitor{Latest: last}, c, statuspage.Options{Details: statuspage.Full})
		if c.looks != 0 {
			t.Errorf("%d looks before the first request", c.looks)
		}
		for range 100 {
			getPage(t, p)
		}
		advance(time.Second + 1)
		for range 100 {
			getPage(t, p)
		}
		if c.looks != 2*4 {
			t.Errorf("%d looks, want two per service", c.looks)
		}
	})
}

// The page serves its own paths and no others, whoever calls it.
func TestPageServes(t *testing.T) {
	t.Parallel()
	last, told := scenario.All()["healthy"].Remembered()
	p := scenario.NewPage(&scenario.Monitor{Latest: last}, told, server.Full)
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(getPage(t, p).String(), -1)
	paths := map[string]bool{"": true, "/health": false, "/": false, "/assets": false, "/assets/page.css": false}
	for _, link := range links {
		paths["/"+link[1]] = true
	}
	for path, want := range paths {
		if p.Serves(path) != want {
			t.Errorf("serves %q: %t, want %t", path, !want, want)
		}
		if code := scenario.Get(p, path+"/").Code; code == http.StatusOK != want {
			t.Errorf("%q: %d", path, code)
		}
	}
}

// BenchmarkRender renders the page of four services and an hour for each view.
func BenchmarkRender(b *testing.B) {
	last, told := scenario.AnHour().Remembered()
	p := scenario.NewPage(&scenario.Monitor{Latest: last}, told, server.Full)
	b.ReportAllocs()
	for b.Loop() {
		next := *last
		p.Publish(&next)
		scenario.Get(p, "/")
	}
}
