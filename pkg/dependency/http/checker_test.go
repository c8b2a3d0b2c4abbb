package http_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/dependency"
	httpkind "github.com/reims/reims-health/pkg/dependency/http"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

// newChecker returns a checker of the URL with the default statuses, changed by edit.
func newChecker(t *testing.T, target string, edit func(*httpkind.Options)) *httpkind.Checker {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	options := httpkind.Options{URL: *u, Statuses: []httpkind.Statuses{{First: 200, Last: 399}}, Timeout: 5 * time.Second, Prefix: "BILLING_"}
	if edit != nil {
		edit(&options)
	}
	c := httpkind.New(options)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// open returns the checker of a service whose NAME_CHECK is check, as the program opens it.
func open(t *testing.T, check string, edit func(*httpkind.Settings)) dependency.Checker {
	t.Helper()
	c, err := dependency.Open(settings(t, check, edit), dependency.Instance{
		Prefix: "BILLING_", Timeout: 5 * time.Second, CertificateWarning: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestHTTPStatuses(t *testing.T) {
	t.Parallel()
	to := func(location string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(status)
		}
	}
	for name, test := range map[string]struct {
		answer   http.HandlerFunc
		expected []string // empty: the default
		reason   health.Reason
		words    string
	}{
		"200":                    {checking.Reply(200, "ok"), nil, "", ""},
		"no content":             {checking.Reply(204, ""), nil, "", ""},
		"a redirect":             {to("/elsewhere", 302), nil, "", ""},
		"to a dead server":       {to("http://127.0.0.1:1/", 307), nil, "", ""},
		"to no URL":              {to("http://a b:c/%zz", 301), nil, "", ""},
		"without a place":        {checking.Reply(308, ""), nil, "", ""},
		"not modified":           {checking.Reply(304, ""), nil, "", ""},
		"399":                    {checking.Reply(399, ""), nil, "", ""},
		"a login page":           {checking.Reply(200, "<html>canary</html>"), nil, "", ""},
		"400":                    {checking.Reply(400, "canary"), nil, httpkind.ReasonStatus, "status 400"},
		"not found":              {checking.Reply(404, "canary"), nil, httpkind.ReasonStatus, "BILLING_CHECK"},
		"a login":                {checking.Reply(401, "canary"), nil, httpkind.ReasonStatus, "BILLING_TOKEN_FILE"},
		"forbidden":              {checking.Reply(403, "canary"), nil, httpkind.ReasonStatus, "BILLING_TOKEN_FILE"},
		"too many":               {checking.Reply(429, "canary"), nil, health.ReasonOverloaded, "429"},
		"500":                    {checking.Reply(500, "canary"), nil, httpkind.ReasonStatus, "status 500"},
		"502":                    {checking.Reply(502, "canary"), nil, httpkind.ReasonStatus, "load balancer"},
		"503":                    {checking.Reply(503, "canary"), nil, httpkind.ReasonStatus, "load balancer"},
		"504":                    {checking.Reply(504, "canary"), nil, httpkind.ReasonStatus, "load balancer"},
		"beyond 599":             {checking.Reply(999, "canary"), nil, httpkind.ReasonStatus, "status 999"},
		"expected":               {checking.Reply(401, ""), []string{"401", "403"}, "", ""},
		"expected in a range":    {checking.Reply(503, ""), []string{"200", "500-503"}, "", ""},
		"expected 429":           {checking.Reply(429, ""), []string{"429"}, "", ""},
		"not expected":           {checking.Reply(200, "canary"), []string{"204", "300-399"}, httpkind.ReasonStatus, "BILLING_EXPECT_STATUS"},
		"not expected, redirect": {to("/canary", 302), []string{"200"}, httpkind.ReasonStatus, "a redirect, which is not followed"},
		"not expected 429":       {checking.Reply(429, "canary"), []string{"200-299"}, health.ReasonOverloaded, "429"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				test.answer(w, r)
			}))
			c := open(t, "http://"+addr, func(s *httpkind.Settings) {
				if test.expected != nil {
					s.ExpectStatus = test.expected
				}
			})
			seen, err := c.Check(t.Context())
			checking.Declared(t, httpkind.Kind(), seen)
			if status, ok := seen.Find("status_code"); !ok || status < 200 || seen.Latency <= 0 {
				t.Errorf("status_code = %v, latency %v", status, seen.Latency)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f := checking.WantFault(t, err, test.reason)
			checking.Says(t, f, test.words)
			if strings.Contains(f.Error(), "canary") {
				t.Errorf("%v carries the server's text", f)
			}
		})
	}
}

func TestHTTPBody(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for name, test := range map[string]struct {
		status  int
		body    string
		pattern string
		reason  health.Reason
	}{
		"matches":                {200, `{"status":"UP"}`, `"status":\s*"UP"`, ""},
		"does not":               {200, `{"status":"DOWN","canary":1}`, `"status":\s*"UP"`, httpkind.ReasonBody},
		"nothing":                {204, "", ".", httpkind.ReasonBody},
		"must be empty":          {200, "", "^$", ""},
		"on several lines":       {200, "a\nready: yes\n", `(?m)^ready: yes$`, ""},
		"not UTF-8":              {200, "\xff\xfe ok", "ok$", ""},
		"at the limit":           {200, strings.Repeat("x", limit-2) + "ok", "ok$", ""},
		"in the first 64 kB":     {200, "ok" + strings.Repeat("x", 2*limit), "^ok", ""},
		"beyond the first 64 kB": {200, strings.Repeat("x", limit) + "ok", "ok", httpkind.ReasonBody},
		"a redirect's":           {302, "Found", "Found", ""},
		"of another status":      {500, "ok", "ok", httpkind.ReasonStatus},
		"of another status, bad": {500, "canary", "ok", httpkind.ReasonStatus},
		"too many":               {429, "canary", "ok", health.ReasonOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, "http://"+checking.ServeHTTP(t, checking.Reply(test.status, test.body)), func(s *httpkind.Settings) { s.ExpectBody = test.pattern })
			if test.reason == "" {
				checking.Healthy(t, c)
				return
			}
			f := checking.Fault(t, c, test.reason)
			if test.reason == httpkind.ReasonBody {
				checking.Says(t, f, "BILLING_EXPECT_BODY")
			}
			if strings.Contains(f.Error(), "canary") {
				t.Errorf("%v carries the server's text", f)
			}
		})
	}
}

// What is asked for is what the URL says.
func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	type request struct{ Method, URI, Host, Accept, Agent, Authorization string }
	var got atomic.Pointer[request]
	addr := checking.ServeHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.Store(&request{r.Method, r.RequestURI, r.Host, r.Header.Get("Accept"), r.UserAgent(), r.Header.Get("Authorization")})
	}))
	for _, test := range []struct{ path, uri, shown string }{
		{"", "/", ""},
		{"/", "/", "/"},
		{"/health?deep=1&key=canary", "/health?deep=1&key=canary", "/health"},
		{"/a%2Fb/c%20d//e", "/a%2Fb/c%20d//e", "/a%2Fb/c%20d//e"},
		{"?key=canary%26x", "/?key=canary%26x", ""},
		{"/a?", "/a", "/a"},
		{"/a?x?y", "/a?x?y", "/a"},
	} {
		c := open(t, "http://"+addr+test.path, nil)
		seen := checking.Healthy(t, c)
		want := request{http.MethodGet, test.uri, addr, "*/*", "reims-health", ""}
		if diff := cmp.Diff(&want, got.Load()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.path, diff)
		}
		if diff := cmp.Diff(health.Text("endpoint", "http://"+addr+test.shown), seen.Values[0]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.path, diff)
		}
	}
}

// The URL's query may hold a secret: nothing that a check returns has it.
func TestHTTPQueryIsHidden(t *testing.T) {
	t.Parallel()
	gone := checking.Listen(t)
	_ = gone.Close()
	for name, addr := range map[string]string{
		"refused":   gone.Addr().String(),
		"unknown":   "server.invalid:80",
		"garbage":   checking.Answering(t, checking.Saying("garbage\r\n")),
		"closes":    checking.Answering(t, func(net.Conn) {}),
		"TLS":       checking.Answering(t, checking.ServeTLS(t)),
		"never":     checking.Answering(t, checking.Drain),
		"404":       checking.ServeHTTP(t, checking.Reply(404, "")),
		"other way": checking.ServeHTTP(t, checking.Reply(404, "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme := "http"
			if name == "other way" {
				scheme = "https"
			}
			c := newChecker(t, scheme+"://"+addr+"/path?key=canary", func(o *httpkind.Options) { o.Timeout = time.Second })
			seen, err := c.Check(t.Context())
			if err == nil {
				t.Fatal("Check succeeded")
			}
			if text := err.Error(); strings.Contains(text, "canary") {
				t.Errorf("%s has the query", text)
			}
			if text := seen.Values[0].Text; text != scheme+"://"+addr+"/path" {
				t.Errorf("endpoint = %s", text)
			}
		})
	}
}

func TestHTTPToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var accepted atomic.Value
	accepted.Store("canary-1")
	var refusal atomic.Int32
	refusal.Store(http.StatusUnauthorized)
	addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+accepted.Load().(string) {
			w.WriteHeader(int(refusal.Load()))
		}
	}))
	c := newChecker(t, "http://"+addr, func(o *httpkind.Options) {
		o.Token = func(context.Context) (string, error) {
			raw, err := os.ReadFile(file)
			return string(raw), err
		}
	})
	fails := func(want health.Reason, words string) {
		t.Helper()
		f := checking.Fault(t, c, want)
		checking.Says(t, f, words)
		if strings.Contains(f.Error(), "canary") {
			t.Errorf("%v has the token", f)
		}
	}
	fails(health.ReasonAuth, "BILLING_TOKEN_FILE") // missing
	write("canary-1")
	checking.Healthy(t, c)
	accepted.Store("canary-2") // and on the connection that is kept
	fails(httpkind.ReasonStatus, "does not accept the token")
	refusal.Store(http.StatusForbidden)
	fails(httpkind.ReasonStatus, "does not accept the token")
	write("canary-2")
	checking.Healthy(t, c)
	for _, bad := range []string{"", "canary 2", "canary-2\n", "canary\x00", "canäry"} {
		write(bad)
		fails(health.ReasonAuth, "cannot be sent in a header")
	}
	write("canary-2")
	checking.Healthy(t, c)
}

func TestHTTPOneRoundTrip(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]int{"small": 2, "the most that is read": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := checking.NewWire(t, checking.ServeHTTP(t, checking.Reply(200, strings.Repeat("x", body))))
			checking.OneRoundTrip(t, w, newChecker(t, "http://"+w.Addr()+"/health", func(o *httpkind.Options) {
				o.Body = regexp.MustCompile("x")
			}))
		})
	}
}

// An answer of 100 MB is healthy, and neither read to its end nor held.
func TestHTTPHugeAnswer(t *testing.T) { // not parallel: it counts allocations
	declared := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(100<<20))
		checking.Huge(w, r)
	}
	for name, answer := range map[string]http.HandlerFunc{"undeclared": checking.Huge, "declared": declared} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, "http://"+checking.ServeHTTP(t, answer), func(o *httpkind.Options) { o.Body = regexp.MustCompile("^xxx") })
			checking.Healthy(t, c)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			for range 10 {
				checking.Healthy(t, c)
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			// The server is in this process, and makes one chunk of 1 MB per request.
			if got := (after.TotalAlloc - before.TotalAlloc) / 10; got > 6<<20 {
				t.Errorf("a check allocates %d kB for an answer of which it reads 64 kB", got>>10)
			}
			t.Logf("%v per check, %d kB allocated", took/10, (after.TotalAlloc-before.TotalAlloc)/10>>10)
		})
	}
}

// A real server, with one behind it, that is frozen, killed and started again.
func TestHTTPStoppedAndFrozen(t *testing.T) {
	t.Parallel()
	nginx := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: checking.ServeHTTP(t, checking.Reply(200, "ok"))})
	const timeout = time.Second
	checking.Survives(t, nginx, timeout, newChecker(t, nginx.Endpoint(), func(o *httpkind.Options) { o.Timeout = timeout }))
}

// What a balancer answers for a server that is down is a status like any other.
func TestHTTPBalancerWithoutServer(t *testing.T) {
	t.Parallel()
	for _, program := range []servers.ProxyProgram{servers.Nginx, servers.HAProxy} {
		gone := checking.Listen(t)
		_ = gone.Close()
		proxy := servers.RunProxy(t, servers.ProxyOptions{Program: program, Target: gone.Addr().String()})
		f := checking.Fault(t, newChecker(t, proxy.Endpoint(), nil), httpkind.ReasonStatus)
		checking.Says(t, f, "status 50", "load balancer")
	}
}

func TestHTTPWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	addr := checking.ServeHTTP(t, checking.Reply(200, "ok"))
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	checking.SeveralAddresses(t, 25, port, false, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return newChecker(t, "http://"+net.JoinHostPort("several.internal", text), func(o *httpkind.Options) {
			o.Timeout, o.Lookup = timeout, lookup
		})
	})
}

func TestHTTPLeaksNothing(t *testing.T) { // not parallel: it counts goroutines
	gone := checking.Listen(t)
	_ = gone.Close()
	for name, test := range map[string]struct {
		addr    string
		healthy bool
	}{
		"refused": {gone.Addr().String(), false},
		"frozen":  {checking.Answering(t, checking.Drain), false},
		"garbage": {checking.Answering(t, checking.Saying("garbage\r\n")), false},
		"closes":  {checking.Answering(t, func(net.Conn) {}), false},
		"503":     {checking.ServeHTTP(t, checking.Reply(503, "")), false},
		"100 MB":  {checking.ServeHTTP(t, http.HandlerFunc(checking.Huge)), true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, "http://"+test.addr, func(o *httpkind.Options) {
				if name == "frozen" {
					o.Timeout = 15 * time.Millisecond
				}
			})
			checking.LeaksNothing(t, func() {
				if _, err := c.Check(t.Context()); (err == nil) != test.healthy {
					t.Fatalf("Check: %v", err)
				}
			})
		})
	}
}

func TestHTTPSCertificates(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(365*24*time.Hour)
	ours, others := checking.NewAuthority(t, from, until), checking.NewAuthority(t, from, until)
	ca := ours.File(t)
	local, elsewhere := ours.Issue(t, from, until, "127.0.0.1"), ours.Issue(t, from, until, "elsewhere.example")
	ended := ours.Issue(t, from, time.Now().Add(-time.Minute), "127.0.0.1")
	certFile, keyFile := checking.KeyPair(t, ours.Issue(t, from, until))
	encrypted := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(encrypted, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("canary")}), 0o600); err != nil {
		t.Fatal(err)
	}
	strangers, strangersKey := checking.KeyPair(t, others.Issue(t, from, until))
	for name, test := range map[string]struct {
		server  tls.Certificate
		clients *checking.Authority
		edit    func(*httpkind.Options)
		reason  health.Reason
		words   string
	}{
		"trusted":           {local, nil, func(o *httpkind.Options) { o.CAFile = ca }, "", ""},
		"unknown authority": {local, nil, func(o *httpkind.Options) { o.CAFile = others.File(t) }, health.ReasonTLS, ""},
		"the system's":      {local, nil, nil, health.ReasonTLS, ""},
		"no file":           {local, nil, func(o *httpkind.Options) { o.CAFile = ca + ".gone" }, health.ReasonTLS, "_CA_FILE"},
		"wrong name":        {elsewhere, nil, func(o *httpkind.Options) { o.CAFile = ca }, health.ReasonTLS, ""},
		"ended":             {ended, nil, func(o *httpkind.Options) { o.CAFile = ca }, health.ReasonCertificateExpired, "ended at"},
		"client certificate": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, keyFile
		}, "", ""},
		"no client certificate": {local, ours, func(o *httpkind.Options) { o.CAFile = ca }, health.ReasonTLS, "BILLING_CERT_FILE"},
		"a stranger's": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, strangers, strangersKey
		}, health.ReasonTLS, "see the client certificate in BILLING_CERT_FILE"},
		"another's key": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, strangersKey
		}, health.ReasonTLS, "BILLING_KEY_FILE cannot be used: the key is not that of the certificate"},
		"encrypted key": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, encrypted
		}, health.ReasonTLS, "BILLING_KEY_FILE cannot be used: the key is encrypted"},
		"no key": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, certFile
		}, health.ReasonTLS, "BILLING_KEY_FILE"},
		"exchanged": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, keyFile, certFile
		}, health.ReasonTLS, "BILLING_CERT_FILE and BILLING_KEY_FILE cannot be used"},
		"missing": {local, ours, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, keyFile+".gone"
		}, health.ReasonTLS, "BILLING_KEY_FILE"},
		"not asked for": {local, nil, func(o *httpkind.Options) {
			o.CAFile, o.CertFile, o.KeyFile = ca, certFile, keyFile
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, "https://"+checking.ServeHTTPS(t, checking.Reply(200, "ok"), test.server, test.clients), test.edit)
			if test.reason == "" {
				checking.Healthy(t, c)
				return
			}
			checking.Says(t, checking.Fault(t, c, test.reason), test.words)
		})
	}
}

// The end of the server's certificate is reported, and a near one is a fault.
func TestHTTPSCertificateEnds(t *testing.T) {
	t.Parallel()
	from := time.Now().Add(-365 * 24 * time.Hour)
	ours := checking.NewAuthority(t, from, time.Now().Add(365*24*time.Hour))
	for left, reason := range map[time.Duration]health.Reason{48 * time.Hour: "", 12 * time.Hour: health.ReasonCertificateExpiring} {
		until := time.Now().Add(left).Truncate(time.Second)
		addr := checking.ServeHTTPS(t, checking.Reply(200, "ok"), ours.Issue(t, from, until, "127.0.0.1"), nil)
		seen, err := open(t, "https://"+addr, func(s *httpkind.Settings) { s.CAFile = ours.File(t) }).Check(t.Context())
		checking.Declared(t, httpkind.Kind(), seen)
		if got, ok := seen.Find("certificate_not_after"); !ok || int64(got) != until.Unix() {
			t.Errorf("certificate_not_after = %v, want %d", got, until.Unix())
		}
		if reason == "" && err != nil {
			t.Error(err)
		} else if reason != "" {
			_ = checking.WantFault(t, err, reason)
		}
	}
}

// A client certificate is read at each handshake.
func TestHTTPSClientCertificateRotates(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(365*24*time.Hour)
	ours, others := checking.NewAuthority(t, from, until), checking.NewAuthority(t, from, until)
	certFile, keyFile := checking.KeyPair(t, others.Issue(t, from, until))
	freshCert, freshKey := checking.KeyPair(t, ours.Issue(t, from, until))
	addr := checking.ServeHTTPS(t, checking.Reply(200, "ok"), ours.Issue(t, from, until, "127.0.0.1"), ours)
	c := newChecker(t, "https://"+addr, func(o *httpkind.Options) {
		o.CAFile, o.CertFile, o.KeyFile = ours.File(t), certFile, keyFile
	})
	checking.Fails(t, c, health.ReasonTLS)
	for from, to := range map[string]string{freshCert: certFile, freshKey: keyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	checking.Healthy(t, c)
}

func TestHTTPSchemes(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ours := checking.NewAuthority(t, from, until)
	plain := checking.ServeHTTP(t, checking.Reply(200, "ok"))
	secure := checking.ServeHTTPS(t, checking.Reply(200, "ok"), ours.Issue(t, from, until, "127.0.0.1"), nil)
	checking.Says(t, checking.Fault(t, newChecker(t, "https://"+plain, nil), health.ReasonTLS), "speaks HTTP, and BILLING_CHECK says HTTPS")
	checking.Says(t, checking.Fault(t, newChecker(t, "http://"+secure, nil), health.ReasonTLS), "speaks HTTPS, and BILLING_CHECK says HTTP")
}
