package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
)

// now is when certificates of these tests are valid.
var (
	anHourAgo = time.Now().Add(-time.Hour)
	tomorrow  = time.Now().Add(24 * time.Hour)
)

// files are those of a certificate that the authority issues for 127.0.0.1.
func files(t *testing.T, a *checking.Authority) server.TLSFiles {
	t.Helper()
	cert, key := checking.KeyPair(t, a.Issue(t, anHourAgo, tomorrow, "127.0.0.1"))
	return server.TLSFiles{Cert: cert, Key: key}
}

// replace puts the content of one file in the place of another at once, as Kubernetes does.
func replace(t *testing.T, name string, content []byte) {
	t.Helper()
	next := name + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, name); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// get asks on a connection of its own, and returns the code, the certificate's serial and what it was
// negotiated by.
func get(r *running, path string, cfg *tls.Config) (code int, state *tls.ConnectionState, body string, err error) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
	response, err := client.Get("https://" + r.Addr().String() + path)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.TLS, string(text), err
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, anHourAgo, tomorrow)
	s, err := server.ListenTLS(t.Context(), files(t, authority), healthy(), quiet)
	r := start(t, s, err)
	code, state, _, err := get(r, "/health", &tls.Config{RootCAs: authority.Roots()})
	if err != nil || code != http.StatusOK {
		t.Fatalf("code %d, %v", code, err)
	}
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("a client that offers HTTP/2 gets %q", state.NegotiatedProtocol)
	}
	// As the kubelet asks.
	if code, _, _, err := get(r, "/health/live", &tls.Config{InsecureSkipVerify: true}); err != nil || code != http.StatusOK {
		t.Errorf("the kubelet's probe: code %d, %v", code, err)
	}
	if _, _, _, err := get(r, "/health", &tls.Config{RootCAs: authority.Roots(), MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	if code := say(t, r.dial(t), aRequest); code != http.StatusBadRequest {
		t.Errorf("plain HTTP: code %d", code)
	}
}

// TestCertificateRotates replaces the files under a running server: by a good pair, by files
// that cannot be used, and by a good pair again.
func TestCertificateRotates(t *testing.T) {
	t.Parallel()
	old, next := checking.NewAuthority(t, anHourAgo, tomorrow), checking.NewAuthority(t, anHourAgo, tomorrow)
	f, renewed := files(t, old), files(t, next)
	log := new(program.Output)
	s, err := server.ListenTLS(t.Context(), f, healthy(), slog.New(slog.NewTextHandler(log, nil)))
	r := start(t, s, err)
	accepted := func(roots *x509.CertPool) bool {
		code, _, _, err := get(r, "/health", &tls.Config{RootCAs: roots})
		return err == nil && code == http.StatusOK
	}
	if !accepted(old.Roots()) {
		t.Fatal("the first certificate is not served")
	}
	cert, key := content(t, f.Cert), content(t, f.Key)

	replace(t, f.Key, content(t, renewed.Key)) // which does not belong to the certificate
	poll.Until(t, "the key of another certificate is logged", func() bool {
		return log.Count(filepath.Base(f.Key)+" cannot be used: the key is not that of the certificate") == 1
	})
	if !accepted(old.Roots()) {
		t.Error("the last good certificate is not served any more")
	}
	replace(t, f.Cert, content(t, renewed.Cert))
	poll.Until(t, "the new certificate is served", func() bool { return accepted(next.Roots()) })
	if accepted(old.Roots()) {
		t.Error("the old certificate is served as well")
	}

	if err := os.Remove(f.Cert); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "a missing file is logged", func() bool { return log.Count("no such file") == 1 })
	if !accepted(next.Roots()) {
		t.Error("without the file the last good certificate is not served any more")
	}
	replace(t, f.Key, key)
	replace(t, f.Cert, cert)
	poll.Until(t, "the first certificate is served again", func() bool { return accepted(old.Roots()) })
	if n := log.Count("the last good ones stay in use"); n != 2 && n != 3 { // the key may be read before the certificate
		t.Errorf("%d warnings", n)
	}
	if log.Count("PRIVATE KEY") > 0 {
		t.Error("a key is logged")
	}
}

// TestCertificateAppears starts a server before its files are there.
func TestCertificateAppears(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, anHourAgo, tomorrow)
	f := files(t, authority)
	cert := content(t, f.Cert)
	if err := os.Remove(f.Cert); err != nil {
		t.Fatal(err)
	}
	log := new(program.Output)
	s, err := server.ListenTLS(t.Context(), f, healthy(), slog.New(slog.NewTextHandler(log, nil)))
	r := start(t, s, err)
	if _, _, _, err := get(r, "/health/live", &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a request is answered without a certificate")
	}
	replace(t, f.Cert, cert)
	poll.Until(t, "the certificate is served", func() bool {
		code, _, _, err := get(r, "/health", &tls.Config{RootCAs: authority.Roots()})
		return err == nil && code == http.StatusOK
	})
	if n := log.Count("no certificate: every HTTPS request fails"); n != 1 {
		t.Errorf("%d times logged that there is none", n)
	}
}

// TestClientCertificates answers the kubelet, which has no certificate, and beyond that only
// clients of the authority.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, foreign := checking.NewAuthority(t, anHourAgo, tomorrow), checking.NewAuthority(t, anHourAgo, tomorrow)
	f := files(t, ours)
	f.ClientCA = ours.File(t)
	handler := server.RequireCertificate(healthy(), "/health/live", "/health/ready")
	s, err := server.ListenTLS(t.Context(), f, handler, quiet)
	r := start(t, s, err)
	always := func(c tls.Certificate) *tls.Config { // also where the server does not ask for one of this authority
		return &tls.Config{RootCAs: ours.Roots(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }}
	}
	none := &tls.Config{RootCAs: ours.Roots()}
	good := always(ours.Issue(t, anHourAgo, tomorrow, "prometheus"))
	ended := always(ours.Issue(t, anHourAgo, anHourAgo.Add(time.Minute), "prometheus"))
	others := always(foreign.Issue(t, anHourAgo, tomorrow, "prometheus"))
	for _, tt := range []struct {
		name, path string
		client     *tls.Config
		want       int // 0: no handshake
	}{
		{"none", "/health/live", none, http.StatusOK},
		{"none", "/health/ready", none, http.StatusOK},
		{"none", "/health/ready?verbose", none, http.StatusOK},
		{"none", "/health", none, http.StatusForbidden},
		{"none", "/health/peer", none, http.StatusForbidden},
		{"none", "/health/live/", none, http.StatusForbidden},
		{"none", "//health/live/../../health", none, http.StatusForbidden},
		{"none", "/", none, http.StatusForbidden},
		{"good", "/health", good, http.StatusOK},
		{"good", "/health/live", good, http.StatusOK},
		{"ended", "/health/live", ended, 0},
		{"another authority's", "/health/live", others, 0},
	} {
		code, _, body, err := get(r, tt.path, tt.client)
		if code != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%s, certificate %s: code %d, %v; want %d", tt.path, tt.name, code, err, tt.want)
		}
		if code == http.StatusForbidden && body != `{"success":false,"error":"this path needs a client certificate"}`+"\n" {
			t.Errorf("%s: %s", tt.path, body)
		}
	}
}

// TestTLSConnectionsGiveWay has as many HTTPS clients as may connect, who stay after their
// answer: another one is let in, as with plain HTTP.
func TestTLSConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	authority := checking.NewAuthority(t, anHourAgo, tomorrow)
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) // a view would be stale by the end
	s, err := server.ListenTLS(t.Context(), files(t, authority), answer, quiet)
	r := start(t, s, err)
	for i := range 2 * 256 {
		c := tls.Client(r.dial(t), &tls.Config{RootCAs: authority.Roots(), ServerName: "127.0.0.1"})
		if code := say(t, c, aRequest); code != http.StatusOK {
			t.Fatalf("client %d: code %d", i+1, code)
		}
	}
}
