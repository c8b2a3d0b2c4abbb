package server_test

import (
	"bytes"
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

	"golang.org/x/net/html"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// TestPageGolden holds the page against testdata, to be rewritten with -update: as a
// person reads it, and one of them as it is.
func TestPageGolden(t *testing.T) {
	t.Parallel()
	pages := map[string]scenario{"an_hour": anHour()}
	maps.Copy(pages, scenarios)
	for name, s := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all bytes.Buffer
			var source []byte
			synctest.Test(t, func(t *testing.T) {
				for _, details := range []server.Details{server.Full, server.Safe, server.Off} {
					body := getPage(t, s.handler(details)).Bytes()
					if details == server.Full {
						source = bytes.ReplaceAll(hashed.ReplaceAll(body, []byte("-HASH.")), []byte("><"), []byte(">\n<"))
					}
					all.WriteString("=== " + string(details) + "\n" + legible(t, body) + "\n")
				}
			})
			compareGolden(t, filepath.Join("testdata", "page", name+".golden"), all.Bytes())
			if name == "an_hour" {
				compareGolden(t, filepath.Join("testdata", "page", name+".html"), source)
			}
		})
	}
}

// hashed is the end of a file's name that changes with its content.
var hashed = regexp.MustCompile(`-[0-9a-f]{12}\.`)

func getPage(t *testing.T, h http.Handler) *bytes.Buffer {
	t.Helper()
	w := get(h, "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
		t.Fatalf("/: %d, %v\n%s", w.Code, w.Header(), w.Body)
	}
	return w.Body
}

// legible is the text of a page, a line an element, with what drawings say.
func legible(t *testing.T, page []byte) string {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	block := map[string]bool{"p": true, "h1": true, "h2": true, "h3": true, "li": true, "div": true, "article": true, "figcaption": true, "nav": true, "section": true}
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
	h := scenarios["healthy"].handler(server.Full)
	page := get(h, "/")
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
		w := get(h, path)
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
		if head := request(h, http.MethodHead, path); head.Code != http.StatusOK || head.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, head.Code, head.Body.Len())
		}
		if post := request(h, http.MethodPost, path); post.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, post.Code)
		}
	}
	for _, path := range []string{"/assets", "/assets/", "/assets/page.css", "/index.html", "//"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// The policy allows nothing inline: there must not be anything either.
func TestPageHasNothingInline(t *testing.T) {
	t.Parallel()
	body := getPage(t, anHour().handler(server.Full)).String()
	for what, pattern := range map[string]string{
		"a style": `(?i)\sstyle=|<style`, "a handler": `(?i)\son\w+=`, "a script": `<script[^>]*>[^<]`,
		"another place": `(?i)(src|href|action)="(https?:)?//`, "an absolute path, which fails behind a proxy": `(src|href)="/`,
	} {
		if found := regexp.MustCompile(pattern).FindString(body); found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
}

// flapping is a page at its fullest: nothing stands still for an hour.
func flapping() scenario {
	s := scenario{history: history{}}
	for _, svc := range services(0) {
		s.history[svc.Name] = busy(time.Hour-time.Second, 5*time.Second, func(ago time.Duration) *health.Fault {
			if ago/(10*time.Second)%2 == 0 {
				return &health.Fault{Reason: health.DatabaseMissing, Message: strings.Repeat("a long message ", 10)}
			}
			return nil
		})
	}
	return s
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	h := flapping().handler(server.Full)
	body := getPage(t, h).String()
	size := len(body)
	for _, link := range regexp.MustCompile(`(?:href|src)="(assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		size += get(h, "/"+link[1]).Body.Len()
	}
	if size > 60_000 || size < 20_000 {
		t.Errorf("the page and its files have %d bytes", size)
	}
}

// Whatever a service calls itself is text, and nothing else.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	const hostile = `</dd><script>alert(1)</script><img src=x onerror=alert(2)>"'` + "`{{.}}&lt;"
	v := allWell().view(0)
	results := slices.Clone(v.Results())
	_, told := scenarios["healthy"].remembered()
	results[1] = results[1].Next(health.Outcome{Finished: v.Time(), Observation: health.Observation{
		Latency: time.Millisecond, Measures: []health.Measure{
			health.Text("version", hostile), health.List("buckets", []string{hostile}), health.Number("<b>", 1),
		},
	}})
	bad := health.Outcome{Finished: v.Time(), Fault: &health.Fault{Reason: health.BucketMissing, Message: hostile}}
	results[2] = results[2].Next(bad).Next(bad)
	v = health.NewView(v.Time(), results, health.NoOverride, false)
	h := server.NewHandler(&source{view: v}, server.Options{Details: server.Full, History: told, Page: true})
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
	for name, scenario := range scenarios {
		for _, v := range views {
			last, _ := scenario.remembered()
			body := v.get(scenario.handler(v.details), "/").Body.String()
			if strings.Contains(body, "canary") {
				t.Errorf("%s as %s: the driver's text is shown", name, v)
			}
			shown := v.details == server.Full
			for _, secret := range append(naming(last), instance, "v1.2.3") {
				if got := strings.Contains(body, html.EscapeString(secret)); got != shown {
					t.Errorf("%s as %s shows %q: %t", name, v, secret, got)
				}
			}
			if numbers := regexp.MustCompile(`\d ms|KiB|MiB`).MatchString(body); numbers && v.details == server.Off {
				t.Errorf("%s as %s shows numbers", name, v)
			}
		}
	}
}

// naming is identifying without the messages that tell no more than their reason.
func naming(v *health.View) []string {
	var names []string
	for _, r := range v.Results() {
		for _, m := range r.Last.Observation.Measures {
			names = append(names, m.List...)
			if m.Text != "" {
				names = append(names, m.Text)
			}
		}
		if r.Message() != r.Reason().Message() {
			names = append(names, r.Message()[1:]) // its first letter is made a capital
		}
	}
	return names
}

var asOf = regexp.MustCompile(`class="asof">as of <time datetime="[^"]+`)

// TestPageTurnsOnTime publishes nothing: the page must not go on showing green.
func TestPageTurnsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := anHour().handler(server.Full)
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

func TestPageOff(t *testing.T) {
	t.Parallel()
	last, told := scenarios["healthy"].remembered()
	h := server.NewHandler(&source{view: last}, server.Options{History: told})
	w := get(h, "/")
	if checkAnswer(t, w); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), `"/"`) {
		t.Errorf("/: %d %s", w.Code, w.Body)
	}
	on := scenarios["healthy"].handler(server.Full)
	if paths := get(on, "/nosuch").Body.String(); !strings.Contains(paths, `"/health/history","/",`) {
		t.Errorf("the list of paths: %s", paths)
	}
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(getPage(t, on).String(), -1)
	for _, link := range links {
		wantCode(t, on, "/"+link[1], 200)
		wantCode(t, h, "/"+link[1], 404)
	}
	if len(links) < 3 {
		t.Errorf("links: %v", links)
	}
}
