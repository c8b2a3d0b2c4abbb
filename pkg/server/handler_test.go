package server_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// TestHead asks over a real connection: net/http has its own ideas of HEAD.
func TestHead(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(scenario.NewHandler(scenario.All()["unhealthy"].History.View(0), server.Full))
	defer s.Close()
	for _, target := range targets {
		got, gotBody := send(t, s, http.MethodHead, target)
		want, wantBody := send(t, s, http.MethodGet, target)
		delete(got.Header, "Date")
		delete(want.Header, "Date")
		if diff := cmp.Diff(want.Header, got.Header); diff != "" || got.StatusCode != want.StatusCode {
			t.Errorf("%s: HEAD %s, GET %s, headers (-GET +HEAD):\n%s", target, got.Status, want.Status, diff)
		}
		if length := got.Header.Get("Content-Length"); length != strconv.Itoa(len(wantBody)) || gotBody != "" {
			t.Errorf("%s: HEAD has a length of %s and the body %q, want %d and none", target, length, gotBody, len(wantBody))
		}
	}
}

func send(t *testing.T, s *httptest.Server, method, target string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"} {
		for _, target := range []string{"/health", "/health/ready", "/nosuch"} {
			w := scenario.Request(h, method, target)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, target, w.Code, w.Header().Get("Allow"))
			}
			checkAnswer(t, w)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	for path, want := range map[string]int{
		"/health":              200,
		"/health/":             200,
		"/health/redis":        200,
		"/health/redis/":       200,
		"/health/ready/":       200,
		"/":                    404,
		"/health//":            404,
		"/health/Redis":        404,
		"/health/mysql":        404,
		"/health/redis/x":      404,
		"/healthz":             404,
		"/metrics":             404,
		"/health/../health":    404,
		"//health":             404,
		"/health/redis%00":     404,
		"/health%2fredis":      200, // the same path, escaped
		"/health/redis?a=b":    200,
		"/nosuch?verbose":      404,
		"/health/live/?pretty": 200,
	} {
		w := scenario.Get(h, path)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		checkAnswer(t, w)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	for query, text := range map[string]bool{
		"verbose":          true,
		"verbose=":         true,
		"verbose=1":        true,
		"verbose=true":     true,
		"a=b&verbose":      true,
		"":                 false,
		"verbos":           false,
		"VERBOSE":          false,
		"a=verbose":        false,
		"verbose;a=b":      false,
		"verbose=%zz":      false,
		"%":                false,
		"&&==&":            false,
		"verbose=\xff\x00": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/health", http.NoBody)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain"); got != text || w.Code != http.StatusOK {
			t.Errorf("?%s: plain text %t, want %t; %d", query, got, text, w.Code)
		}
		checkAnswer(t, w)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		details       server.Details
		authorization string
		token         func() string
		full          bool
	}{
		"right":              {server.Safe, "Bearer " + scenario.Token, always(scenario.Token), true},
		"scheme in any case": {server.Safe, "bEARER " + scenario.Token, always(scenario.Token), true},
		"none given":         {server.Safe, "", always(scenario.Token), false},
		"wrong":              {server.Safe, "Bearer S3cret", always(scenario.Token), false},
		"a prefix of it":     {server.Safe, "Bearer s3cre", always(scenario.Token), false},
		"it and more":        {server.Safe, "Bearer s3cret1", always(scenario.Token), false},
		"without the scheme": {server.Safe, scenario.Token, always(scenario.Token), false},
		"scheme alone":       {server.Safe, "Bearer", always(scenario.Token), false},
		"another scheme":     {server.Safe, "Basic " + scenario.Token, always(scenario.Token), false},
		"empty one set":      {server.Safe, "Bearer ", always(""), false},
		"no source of one":   {server.Safe, "Bearer ", nil, false},
		"full needs none":    {server.Full, "", always(scenario.Token), true},
		"full minds none":    {server.Full, "Bearer wrong", always(scenario.Token), true},
		"off is for all":     {server.Off, "Bearer " + scenario.Token, always(scenario.Token), false},
		"details unset":      {"", "", always(scenario.Token), false},
	} {
		h := server.NewHandler(&scenario.Monitor{Latest: scenario.AllWell().View(0)}, server.Options{Details: test.details, Token: test.token})
		w := scenario.Get(h, "/health", "Authorization", test.authorization)
		if got := strings.Contains(w.Body.String(), "minio.storage:9000"); got != test.full {
			t.Errorf("%s: shows the endpoint: %t, want %t", name, got, test.full)
		}
	}
}

func always(token string) func() string { return func() string { return token } }

func TestTokenRotates(t *testing.T) {
	t.Parallel()
	present := "old"
	h := server.NewHandler(&scenario.Monitor{Latest: scenario.AllWell().View(0)}, server.Options{
		Details: server.Safe, Token: func() string { return present },
	})
	full := func(token string) bool {
		return strings.Contains(scenario.Get(h, "/health", "Authorization", "Bearer "+token).Body.String(), "minio.storage:9000")
	}
	if !full("old") || full("new") {
		t.Error("before the rotation: want the old token, and it alone")
	}
	present = "new"
	if full("old") || !full("new") {
		t.Error("after the rotation: want the new token, and it alone")
	}
}

// TestOddMeasures has one service report what a dashboard or JSON itself would not
// take: that must not take the answer from the others.
func TestOddMeasures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		measure health.Value
		want    string
	}{
		{health.Number("x", math.NaN()), `"x":null`},
		{health.Number("x", math.Inf(1)), `"x":null`},
		{health.Number("x", math.Inf(-1)), `"x":null`},
		{health.Number("x", uint64(1)<<53), `"x":9007199254740992`},
		{health.Bytes("x", 0), `"x":"0B"`},
		{health.Bytes("x", 1023), `"x":"1023B"`},
		{health.Bytes("x", 1024), `"x":"1.00K"`},
		{health.Bytes("x", math.MaxInt64), `"x":"8.00E"`},
		{health.List("x", nil), `"x":[]`},
		{health.Time("x", time.Date(2027, 1, 3, 13, 0, 0, 0, time.FixedZone("", 3600))), `"x":"2027-01-03T12:00:00Z"`},
		{health.Time("x", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), `"x":"9999-12-31T23:59:59Z"`},
		{health.Text("x", "\xff\"</script>"), `"x":"\ufffd\"\u003c/script\u003e"`},
	} {
		v := scenario.AllWell().View(0)
		results := slices.Clone(v.Results())
		results[1] = results[1].Next(health.Outcome{Finished: v.Time(), Observation: health.Observation{
			Latency: time.Millisecond, Values: []health.Value{test.measure},
		}})
		w := scenario.Get(scenario.NewHandler(health.NewView(v.Time(), results, health.NoOverride, false), server.Full), "/health")
		checkAnswer(t, w)
		if body := w.Body.String(); !strings.Contains(body, test.want+",") || !strings.Contains(body, `"redis":"healthy"`) {
			t.Errorf("want %s: %s", test.want, body)
		}
	}
}

// With the page off, its paths are not found; with the page, only "/" is listed.
func TestPageOff(t *testing.T) {
	t.Parallel()
	last, told := scenario.All()["healthy"].Remembered()
	h := server.NewHandler(&scenario.Monitor{Latest: last}, server.Options{History: told})
	w := scenario.Get(h, "/")
	if checkAnswer(t, w); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), `"/"`) {
		t.Errorf("/: %d %s", w.Code, w.Body)
	}
	on := scenario.All()["healthy"].Handler(server.Full)
	if paths := scenario.Get(on, "/nosuch").Body.String(); !strings.Contains(paths, `"/health/history","/",`) {
		t.Errorf("the list of paths: %s", paths)
	}
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(scenario.Get(on, "/").Body.String(), -1)
	for _, link := range links {
		wantCode(t, on, "/"+link[1], 200)
		wantCode(t, h, "/"+link[1], 404)
	}
	if len(links) < 3 {
		t.Errorf("links: %v", links)
	}
}

// checkAnswer holds an answer against what is true of every one.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.Bytes()
	header := w.Header()
	if !slices.Contains([]int{200, 404, 405, 503}, w.Code) {
		t.Errorf("code %d", w.Code)
	}
	want := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Length": strconv.Itoa(len(body)),
	}
	for name, value := range want {
		if header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, header.Get(name), value)
		}
	}
	var parsed struct{ Success *bool }
	switch kind := header.Get("Content-Type"); {
	case kind == "text/plain; charset=utf-8":
		if verdict := map[int]string{200: " check passed\n", 503: " check failed\n"}[w.Code]; !strings.HasSuffix(string(body), verdict) {
			t.Errorf("code %d with the text %q", w.Code, body)
		}
	case kind != "application/json":
		t.Errorf("Content-Type: %q", kind)
	case json.Unmarshal(body, &parsed) != nil || body[len(body)-1] != '\n':
		t.Errorf("not a line of JSON: %q", body)
	case parsed.Success != nil && *parsed.Success != (w.Code == http.StatusOK):
		t.Errorf("code %d with the body %s", w.Code, body)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("GET", "/health", "verbose", "Bearer s3cret")
	f.Add("HEAD", "/health/", "verbose=%zz&&;", "bearer")
	f.Add("POST", "/health/database", "", "Bearer  s3cret")
	f.Add("", "", "=", " ")
	h := scenario.NewHandler(scenario.All()["degraded"].History.View(0), server.Safe)
	f.Fuzz(func(t *testing.T, method, path, query, authorization string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{
			Method: method,
			URL:    &url.URL{Path: path, RawQuery: query},
			Header: http.Header{"Authorization": {authorization}},
		})
		if method == http.MethodHead {
			if w.Body.Len() > 0 {
				t.Errorf("HEAD with a body: %q", w.Body)
			}
			return
		}
		checkAnswer(t, w)
		if body := w.Body.String(); strings.Contains(body, "canary") ||
			strings.Contains(body, "reims-reports") && !strings.HasSuffix(authorization, " "+scenario.Token) {
			t.Errorf("told to %q: %s", authorization, body)
		}
	})
}
