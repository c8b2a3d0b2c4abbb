package page_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/reims/reims-health/test/page"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// patience is ten times as long as the page may say otherwise after the verdict: it asks
// every two seconds.
const patience = 30 * time.Second

const verdict = "#overall"

// TestOutage stops PostgreSQL under a page that is open, and starts it again.
func TestOutage(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := start(t, pg.Env()...)
	awaitCode(t, s, 200)
	tab, journal := open(t, s.URL+"/", page.View{Width: 1280})
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	inspect(tab, t, "healthy")
	evaluate[bool](tab, t, `document.querySelector("#service-redis a").focus(), window.mark = document.activeElement, true`)

	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitCode(t, s, 503)
	t.Log("unhealthy on the page after", awaitText(tab, t, verdict, "Overall: Unhealthy", patience))
	awaitText(tab, t, ".ready h2", "Not ready", 0)
	inspect(tab, t, "unhealthy")

	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitCode(t, s, 200)
	t.Log("healthy on the page after", awaitText(tab, t, verdict, "Overall: Healthy", patience))
	if !evaluate[bool](tab, t, "document.activeElement === window.mark") {
		t.Error("the focus was lost")
	}
	if problems := journal.Console(); len(problems) > 0 {
		t.Errorf("console: %v", problems)
	}
	for _, url := range journal.Requests() {
		if !strings.HasPrefix(url, s.URL+"/") {
			t.Errorf("a request to %s", url)
		}
	}
}

// TestHeld stops PostgreSQL under three sidecars, of which one asks the others: its page says
// why it is ready all the same.
func TestHeld(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	var peers []string
	for range 2 {
		peer := start(t, pg.Env()...)
		awaitCode(t, peer, 200)
		peers = append(peers, strings.TrimPrefix(peer.URL, "http://"))
	}
	s := start(t, append(pg.Env(),
		servers.Var{Name: "HEALTH_PEERS", Value: strings.Join(peers, ",")},
		servers.Var{Name: "DATABASE_PROBE_INTERVAL", Value: "3s"}, // what the peers said counts for three of it
	)...)
	awaitCode(t, s, 200)
	tab, _ := open(t, s.URL+"/", page.View{Width: 1280})
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitCode(t, s, 503)
	const held = "Ready although Database is unhealthy: 2 of 2 peers see it too."
	t.Log("held on the page after", awaitText(tab, t, ".held", held, patience))
	awaitText(tab, t, ".ready h2", "Ready", 0)
	awaitText(tab, t, ".service .scope", "Shared: 2 of 2 peers see it too.", 0)
	inspect(tab, t, "held")
}

// inspect looks at a page in every way that a person does, and keeps the pictures.
func inspect(tab context.Context, t *testing.T, scene string) {
	t.Helper()
	views := []page.View{{Width: 718, Dark: true, Print: true}}
	for _, width := range []int64{390, 768, 1280} {
		views = append(views, page.View{Width: width, Dark: true}, page.View{Width: width})
	}
	for _, v := range views { // ends as it began, at 1280 and light
		if err := page.Look(tab, v); err != nil {
			t.Fatal(err)
		}
		violations, err := page.Violations(tab)
		if err != nil {
			t.Fatal(err)
		}
		for _, violation := range violations {
			t.Errorf("%s, %s: %s", scene, v, violation)
		}
		if wide := evaluate[int64](tab, t, "document.documentElement.scrollWidth"); wide > v.Width {
			t.Errorf("%s, %s: %d wide", scene, v, wide)
		}
		// Only a table that is wider than a phone may be scrolled, in its own frame.
		const outside = `[...document.querySelectorAll("main *:not(.hidden):not(.scroll):not(.grid i)")].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 &&
			getComputedStyle(e).display !== "inline").map((e) => e.className + ": " + e.textContent).join("; ")`
		if text := evaluate[string](tab, t, outside); text != "" {
			t.Errorf("%s, %s: wider than its place: %s", scene, v, text)
		}
		picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pictures, scene+"-"+v.String()+".png"), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServices shows as many services as people have: what needs attention first, and the
// rest in little room. Names are as long as they may be.
func TestServices(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 4, 7, 8, 16} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			t.Parallel()
			s := start(t, services(count)...)
			tab, journal := open(t, s.URL+"/", page.View{Width: 1280})
			want := "Overall: Healthy"
			if count > 4 {
				want = "Overall: Degraded" // of those that are down, none is required
			}
			awaitText(tab, t, verdict, want, patience)
			inspect(tab, t, fmt.Sprintf("services-%d", count))
			if got := evaluate[int64](tab, t, `document.querySelectorAll(".strip a").length`); got != int64(count) && (count > 1 || got > 0) {
				t.Errorf("%d links to %d services", got, count)
			}
			const severity = `["unhealthy", "degraded", "unknown", "healthy"].findIndex((s) => e.classList.contains(s))`
			for _, list := range []string{".strip li", ".service"} {
				order := evaluate[string](tab, t, `[...document.querySelectorAll("`+list+`")].map((e) => `+severity+`).join("")`)
				if sorted := slices.Sorted(slices.Values([]byte(order))); len(order) != count && count > 1 || order != string(sorted) {
					t.Errorf("%s: severities in the order %s", list, order)
				}
			}
			if open := evaluate[string](tab, t, `[...document.querySelectorAll("details")].map((e) => e.open === !e.classList.contains("healthy")).join()`); strings.Contains(open, "false") {
				t.Errorf("a healthy service is shown at length, or another is not: %s", open)
			}
			const ragged = `(() => {
				const list = document.querySelector(".services").getBoundingClientRect(), rows = {};
				for (const card of document.querySelectorAll(".services > .service")) {
					const at = card.getBoundingClientRect(), row = rows[Math.round(at.top)] ??= {right: 0, kinds: new Set()};
					row.right = Math.max(row.right, at.right);
					row.kinds.add(card.querySelector("details")?.open ?? true);
				}
				return Object.values(rows).filter((row) => row.right < list.right - 1 || row.kinds.size > 1).length;
			})()`
			if rows := evaluate[int](tab, t, ragged); rows > 0 {
				t.Errorf("%d rows of cards have an empty place", rows)
			}
			const stretched = `(document.querySelector("details:not([open]) summary")?.click(), [...document.querySelectorAll("details:not([open])")].map((e) =>
				Math.round(e.closest(".service").getBoundingClientRect().bottom - e.getBoundingClientRect().bottom)).filter((below) => below > 32).join())`
			if below := evaluate[string](tab, t, stretched); below != "" {
				t.Errorf("beside a card that is open, one that is not is stretched by %s pixels", below)
			}
			if problems := journal.Console(); len(problems) > 0 {
				t.Errorf("console: %v", problems)
			}
		})
	}
}

// services are the variables of as many services: the four, and others of the same servers
// or, every third, of none.
func services(count int) (vars []servers.Var) {
	names := []string{"database", "redis", "minio", "ollama"}
	places := make(map[string]string)
	for _, server := range standing {
		for _, v := range server.Env() {
			places[v.Name] = v.Value
		}
	}
	for i := len(names); i < count; i++ {
		name := fmt.Sprintf("warehouse-of-the-northern-api-%02d", i)
		check := "s3://" + places["MINIO_ENDPOINT"]
		switch i % 3 {
		case 1:
			check = "postgres://127.0.0.1:1/a-database-with-a-name-that-is-long-and-that-has-no-spaces"
		case 2:
			check = "ollama://" + net.JoinHostPort(places["OLLAMA_HOST"], places["OLLAMA_PORT"])
		}
		prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		vars = append(vars, servers.Var{Name: prefix + "_CHECK", Value: check}, servers.Var{Name: prefix + "_PROBE_INTERVAL", Value: "500ms"},
			servers.Var{Name: prefix + "_ACCESS_KEY", Value: places["MINIO_ACCESS_KEY"]}, servers.Var{Name: prefix + "_SECRET_KEY", Value: places["MINIO_SECRET_KEY"]})
		names = append(names, name)
	}
	return append(vars, servers.Var{Name: "HEALTH_SERVICES", Value: strings.Join(names[:count], ",")})
}

// TestCollapsed goes to a card by its link, opens it by the keyboard, and breaks a service: the
// card moves, and what the reader did stays.
func TestCollapsed(t *testing.T) {
	t.Parallel()
	redis := servers.RunRedis(t, servers.RedisOptions{})
	s := start(t, append(services(8), redis.Env()...)...)
	tab, _ := open(t, s.URL+"/", page.View{Width: 390})
	awaitText(tab, t, verdict, "Overall: Degraded", patience)
	evaluate[bool](tab, t, `document.querySelector(".strip a[href='#service-minio']").focus(), true`)
	seen := func() bool {
		return evaluate[bool](tab, t, `(({top, bottom}) => top >= 0 && bottom <= innerHeight)(document.querySelector("#service-minio header").getBoundingClientRect())`)
	}
	if seen() {
		t.Error("the card is seen already, so that the link proves nothing")
	}
	if err := chromedp.Do(tab, chromedp.KeyEvent("\r")); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, patience, "the link leads to the card", seen)
	if err := chromedp.Do(tab, chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")); err != nil { // past the link in its head
		t.Fatal(err)
	}
	opened := func() bool {
		return evaluate[bool](tab, t, `document.activeElement.matches("#service-minio summary") && document.activeElement.parentElement.open`)
	}
	poll.Within(t, patience, "the card is opened by the keyboard", opened)
	evaluate[bool](tab, t, `window.mark = document.querySelector("#service-minio details"), true`)
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitText(tab, t, "#service-redis .state", "Unhealthy", patience)
	if !opened() || !evaluate[bool](tab, t, `window.mark === document.querySelector("#service-minio details")`) {
		t.Error("the card was closed, replaced, or lost the focus")
	}
	if !evaluate[bool](tab, t, `document.querySelector("#service-redis details").open`) {
		t.Error("what the unhealthy service's checks saw is hidden")
	}
	if err := redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitText(tab, t, "#service-redis .state", "Healthy", patience)
	if evaluate[bool](tab, t, `document.querySelector("#service-redis details").open`) || !opened() {
		t.Error("the service that is healthy again is shown at length, or the other one no more")
	}
}

// TestWithoutScript: the page refreshes itself all the same.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := start(t, pg.Env()...)
	awaitCode(t, s, 200)
	tab, journal := open(t, s.URL+"/", page.View{Width: 1280, NoScript: true})
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitCode(t, s, 503)
	t.Log("unhealthy on the page after", awaitText(tab, t, verdict, "Overall: Unhealthy", 5*time.Second+patience))
	for _, url := range journal.Requests() {
		if strings.HasSuffix(url, ".js") {
			t.Errorf("a request for %s: the script was not off", url)
		}
	}
}

// TestNoAnswer freezes the sidecar: the page must say so, and must not stay green.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	awaitCode(t, s, 200)
	tab, _ := open(t, s.URL+"/", page.View{Width: 1280})
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	if hidden := evaluate[string](tab, t, `getComputedStyle(document.querySelector("p.lost")).visibility`); hidden != "hidden" {
		t.Errorf("the notice is %s", hidden)
	}
	frozen(t, s)
	// It polls every two seconds and gives an answer three.
	awaitText(tab, t, verdict, "No answer from the sidecar", patience)
	awaitText(tab, t, ".verdict .summary", "It last said: Every service is healthy.", 0)
	awaitText(tab, t, ".ready h2", "It last said: Ready", 0)
	wantLost(tab, t, "No answer from the sidecar since ")
	inspect(tab, t, "no-answer")
	if title := evaluate[string](tab, t, "document.title"); !strings.HasPrefix(title, "No answer") {
		t.Errorf("title: %s", title)
	}
	const icon = `document.querySelector("link[rel=icon]").getAttribute("href")`
	if got := evaluate[string](tab, t, icon); !strings.HasPrefix(got, "assets/icon-unknown-") {
		t.Errorf("icon: %s", got)
	}
	s.Signal(syscall.SIGCONT)
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	awaitText(tab, t, ".ready h2", "Ready", 0)
	if title := evaluate[string](tab, t, "document.title"); !strings.HasPrefix(title, "All healthy · ") {
		t.Errorf("title: %s", title)
	}
	if got := evaluate[string](tab, t, icon); !strings.HasPrefix(got, "assets/icon-healthy-") {
		t.Errorf("icon: %s", got)
	}
	if ages := evaluate[string](tab, t, `[...document.querySelectorAll(".age, .was")].map((e) => getComputedStyle(e).visibility === (e.matches(".age") ? "visible" : "hidden")).join()`); strings.Contains(ages, "false") {
		t.Errorf("ages and states are not told again: %s", ages)
	}
	local := evaluate[string](tab, t, `((e) => e.title === new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "long"}).format(new Date(e.dateTime)))(document.querySelector(".since time")) + ""`)
	if local != "true" {
		t.Error("the reader's own time is not told on hover")
	}
}

func frozen(t *testing.T, s *page.Sidecar) {
	t.Helper()
	s.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { s.Signal(syscall.SIGCONT) })
}

// wantLost wants the notice to begin with some words, and the colours to be gone.
func wantLost(tab context.Context, t *testing.T, words string) {
	t.Helper()
	notice, err := page.Read(tab, "p.lost")
	if err != nil || !strings.HasPrefix(notice, words) {
		t.Errorf("notice %q, %v", notice, err)
	}
	if seen := evaluate[string](tab, t, `getComputedStyle(document.querySelector("p.lost")).visibility`); seen != "visible" {
		t.Errorf("the notice is %s", seen)
	}
	if filter := evaluate[string](tab, t, `getComputedStyle(document.querySelector("main")).filter`); filter != "grayscale(1)" {
		t.Errorf("the colours stay: %s", filter)
	}
	const seen = `((e) => getComputedStyle(e).visibility + " " + (parseFloat(getComputedStyle(e).fontSize) > 0))`
	for selector, want := range map[string]string{
		".service .state .was": "visible true", ".strip .was": "visible true", ".service .state .sign": "hidden true", ".age": "hidden false",
	} {
		states := evaluate[string](tab, t, `[...new Set([...document.querySelectorAll("`+selector+`")].map`+seen+`)].join()`)
		if states != want {
			t.Errorf("%s is %q on a lost page, want %q", selector, states, want)
		}
	}
}

// TestNoScriptFile has the script fail to load: the style sheet alone tells in the
// end that nothing has been heard.
func TestNoScriptFile(t *testing.T) {
	t.Parallel()
	s := start(t)
	awaitCode(t, s, 200)
	tab, _ := open(t, "about:blank", page.View{Width: 1280})
	block := network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/assets/*.js", Block: true}}}
	if _, err := chromedp.Call(tab, network.SetBlockedURLs, block); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate(s.URL+"/")); err != nil {
		t.Fatal(err)
	}
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	// The style sheet counts for each element from when it was parsed: the notice is the first,
	// and on a busy machine the last one comes later.
	poll.Within(t, patience, "the notice is seen, and the last age is not", func() bool {
		return evaluate[string](tab, t, `getComputedStyle(document.querySelector("p.lost")).visibility + " " +
			getComputedStyle([...document.querySelectorAll(".age")].at(-1)).visibility`) == "visible hidden"
	})
	wantLost(tab, t, "Last heard from the sidecar at ") // nobody asked
	if err := page.Look(tab, page.View{Width: 718, Print: true}); err != nil {
		t.Fatal(err)
	}
	wantLost(tab, t, "Last heard from the sidecar at ")
}

// TestNoNews: a computer that slept, and a proxy that repeats an old answer. Neither
// may leave the page green.
func TestNoNews(t *testing.T) {
	t.Parallel()
	s := start(t)
	awaitCode(t, s, 200)
	const (
		// stale is less than the ten seconds after which it says so without the sleep.
		stale  = 8 * time.Second
		sleep  = `{ const now = Date.now; Date.now = () => now() + 11000; true }`
		frozen = `window.fetch = () => new Promise(() => {}); true`
		proxy  = `window.asked = 0;
			fetch(location.href).then((a) => a.text()).then((old) => {
				window.fetch = async () => { window.asked++; return new Response(old); };
				return true;
			})`
	)
	t.Run("sleep", func(t *testing.T) {
		t.Parallel()
		tab, _ := open(t, s.URL+"/", page.View{Width: 1280})
		awaitText(tab, t, verdict, "Overall: Healthy", patience)
		evaluate[bool](tab, t, frozen)
		evaluate[bool](tab, t, sleep)
		awaitText(tab, t, verdict, "Nothing new from the sidecar", stale)
		wantLost(tab, t, "Nothing new from the sidecar since ")
	})
	t.Run("proxy", func(t *testing.T) {
		t.Parallel()
		tab, _ := open(t, s.URL+"/", page.View{Width: 1280})
		awaitText(tab, t, verdict, "Overall: Healthy", patience)
		evaluate[any](tab, t, proxy)
		asked := func() int64 { return evaluate[int64](tab, t, "window.asked") }
		poll.Within(t, 3*patience, "the old answer is repeated", func() bool { return asked() >= 2 })
		evaluate[bool](tab, t, sleep)
		awaitText(tab, t, verdict, "Nothing new from the sidecar", stale)
		before := asked()
		poll.Within(t, 3*patience, "it is repeated again", func() bool { return asked() >= before+2 })
		wantLost(tab, t, "Nothing new from the sidecar since ")
	})
}

// TestScenes looks at the pages that no other test brings about.
func TestScenes(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	override := filepath.Join(t.TempDir(), "override")
	if err := os.WriteFile(override, []byte("not_ready\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type vars = []servers.Var
	for scene, test := range map[string]struct {
		vars    vars
		verdict string
	}{
		"degraded": {
			vars{{Name: "OLLAMA_REQUIRED_MODELS", Value: "nosuch"}, {Name: "HEALTH_OVERRIDE_FILE", Value: override}}, "Overall: Degraded",
		},
		"starting": {
			vars{{Name: "DATABASE_HOST", Value: "127.0.0.1"}, {Name: "DATABASE_PORT", Value: port}, {Name: "DATABASE_PROBE_TIMEOUT", Value: "1m"}},
			"Overall: Starting",
		},
		"off": {vars{{Name: "HEALTH_DETAILS", Value: "off"}}, "Overall: Healthy"},
	} {
		t.Run(scene, func(t *testing.T) {
			t.Parallel()
			tab, _ := open(t, start(t, test.vars...).URL+"/", page.View{Width: 1280})
			awaitText(tab, t, verdict, test.verdict, patience)
			if scene == "degraded" {
				awaitText(tab, t, ".causes", "Override: HEALTH_OVERRIDE_FILE says not_ready", patience)
			}
			inspect(tab, t, scene)
		})
	}
}

// TestHidden: nobody looks, so nobody asks; and at once when somebody looks again.
func TestHidden(t *testing.T) {
	t.Parallel()
	s := start(t)
	awaitCode(t, s, 200)
	tab, journal := open(t, s.URL+"/", page.View{Width: 1280})
	asked := func() int { return strings.Count(strings.Join(journal.Requests(), "\n")+"\n", s.URL+"/\n") }
	poll.Within(t, 2*patience, "the page asks", func() bool { return asked() >= 2 })
	hide := func(hidden string) {
		evaluate[bool](tab, t, `Object.defineProperty(document, "hidden", {get: () => `+hidden+`, configurable: true}),
			document.dispatchEvent(new Event("visibilitychange")), true`)
	}
	hide("true")
	poll.Within(t, patience, "an answer under way is taken", func() bool { return evaluate[bool](tab, t, "document.readyState === 'complete'") })
	before := asked()
	begin := time.Now()
	poll.Within(t, 2*patience, "two periods have passed", func() bool { return time.Since(begin) > 5*time.Second })
	if n := asked(); n > before {
		t.Errorf("asked %d times while hidden", n-before)
	}
	hide("false")
	poll.Within(t, time.Second, "it asks at once", func() bool { return asked() > before })
}

// TestKeyboard uses the page with no pointer. The first thing that a keyboard meets is a way past
// the head; then it comes by everything that can be used, in the order of the page, and sees
// where it is.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t, services(8)...)
	tab, _ := open(t, s.URL+"/", page.View{Width: 390})
	awaitText(tab, t, verdict, "Overall: Degraded", patience)
	press := func(keys string, options ...chromedp.KeyOption) {
		t.Helper()
		if err := chromedp.Do(tab, chromedp.KeyEvent(keys, options...)); err != nil {
			t.Fatal(err)
		}
	}
	press("\t")
	if top := evaluate[float64](tab, t, `document.activeElement.matches(".skip") ? document.activeElement.getBoundingClientRect().top : -1`); top < 0 {
		t.Errorf("the way past the head is at %v", top)
	}
	const (
		usable = `[...document.querySelectorAll("a[href], summary, button, input, [tabindex='0']")].filter((e) => e.checkVisibility())`
		// A link's whole text may be higher than the window, but not its beginning.
		seen = `((e) => { const r = e.getBoundingClientRect(), s = getComputedStyle(e); return r.width > 0 && r.bottom > 0 && r.top < innerHeight && r.left >= 0 &&
			r.right <= innerWidth && s.outlineStyle === "solid" && parseFloat(s.outlineWidth) >= 2 && s.outlineColor === getComputedStyle(document.body).color; })(document.activeElement)`
	)
	count := evaluate[int](tab, t, usable+".length")
	if count < 20 { // eight in the strip, eight in the cards' heads, …
		t.Fatalf("%d things can be used", count)
	}
	for i := range count {
		if at := evaluate[int](tab, t, usable+".indexOf(document.activeElement)"); at != i {
			t.Fatalf("after %d tabs the focus is on %d of %d: %s", i+1, at, count, evaluate[string](tab, t, "document.activeElement.outerHTML"))
		}
		if !evaluate[bool](tab, t, seen) {
			t.Errorf("it cannot be seen that the focus is on %s", evaluate[string](tab, t, "document.activeElement.outerHTML"))
		}
		press("\t")
	}
	press("\t", chromedp.KeyModifiers(chromedp.ModifierShift)) // back from what is around the page
	if at := evaluate[int](tab, t, usable+".indexOf(document.activeElement)"); at != count-1 {
		t.Errorf("back from the end the focus is on %d of %d", at, count)
	}

	evaluate[bool](tab, t, `document.querySelector(".skip").focus(), true`)
	press("\r")
	press("\t")
	if !evaluate[bool](tab, t, `document.activeElement.matches("#services .strip li:first-child a")`) {
		t.Errorf("past the head the focus is on %s", evaluate[string](tab, t, "document.activeElement.outerHTML"))
	}
	evaluate[bool](tab, t, `document.querySelector("details.healthy summary").focus(), true`)
	for _, step := range []struct {
		key  string
		open bool
	}{{"\r", true}, {"\r", false}, {" ", true}, {" ", false}} {
		press(step.key)
		poll.Within(t, patience, fmt.Sprintf("after %q open is %t", step.key, step.open), func() bool {
			return evaluate[bool](tab, t, `document.activeElement.matches("summary") && document.activeElement.parentElement.open`) == step.open
		})
	}
}

// TestPageDetails: a person at loopback is shown everything, and stays so while the page
// refreshes itself; who comes through a proxy in the same Pod is not, nor who asks for JSON.
func TestPageDetails(t *testing.T) {
	t.Parallel()
	s := start(t, servers.Var{Name: "HEALTH_DETAILS", Value: "safe"}, servers.Var{Name: "HEALTH_PAGE_DETAILS", Value: "full"})
	awaitCode(t, s, 200)
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	t.Cleanup(proxy.Close)
	const named = `(document.querySelector("#service-database").innerText.includes("PostgreSQL")) + " " + document.querySelector(".asof time").dateTime`
	for name, test := range map[string]struct{ url, want string }{
		"port-forward": {s.URL, "true "}, "by name": {strings.Replace(s.URL, "127.0.0.1", "localhost", 1), "true "}, "proxy": {proxy.URL, "false "},
	} {
		tab, _ := open(t, test.url+"/", page.View{Width: 1280})
		awaitText(tab, t, verdict, "Overall: Healthy", patience)
		first := evaluate[string](tab, t, named)
		later := first
		poll.Within(t, patience, "the page refreshes itself", func() bool {
			later = evaluate[string](tab, t, named)
			return later != first
		})
		if !strings.HasPrefix(first, test.want) || !strings.HasPrefix(later, test.want) {
			t.Errorf("%s: names are shown: %s, then %s, want %s", name, first, later, test.want)
		}
	}
	answer, err := http.Get(s.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || strings.Contains(string(body), "PostgreSQL") {
		t.Errorf("JSON shows names: %s, %v", body, err)
	}
}
