package e2e_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"
	peers "github.com/reims/reims-health/test/fleet"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// TestHTTPS has two sidecars that are peers of each other answer by HTTPS alone, with client
// certificates: the kubelet's probes need none, a shared fault is told from one of a Pod, check
// asks its own sidecar with no flag, and a renewed certificate is served without a restart.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := checking.NewAuthority(t, from, until)
	ca := authority.File(t)
	client := authority.Issue(t, from, until, "prometheus")
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	members, err := peers.New(t.Context(), 2, pg.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var sidecars []*sidecar
	var certs, keys []string
	var vars [][]servers.Var
	for _, m := range members {
		t.Cleanup(m.Wire.Close)
		cert, key := checking.KeyPair(t, authority.Issue(t, from, until, "reims-health-peers"))
		certs, keys = append(certs, cert), append(keys, key)
		vars = append(vars, append(slices.Clip(pg.Env()), append(m.Vars, servers.Var{Name: "HEALTH_PEERS_CA_FILE", Value: ca},
			servers.Var{Name: "HEALTH_TLS_CERT_FILE", Value: cert}, servers.Var{Name: "HEALTH_TLS_KEY_FILE", Value: key}, servers.Var{Name: "HEALTH_TLS_CLIENT_CA_FILE", Value: ca},
			servers.Var{Name: "METRICS_TLS_CERT_FILE", Value: cert}, servers.Var{Name: "METRICS_TLS_KEY_FILE", Value: key}, servers.Var{Name: "METRICS_TLS_CLIENT_CA_FILE", Value: ca},
		)...))
	}
	for _, v := range vars {
		s := startSidecar(t, v...)
		s.health, s.metrics = "https://"+s.Health, "https://"+s.Metrics+"/metrics"
		s.client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			RootCAs: authority.Roots(), ServerName: "reims-health-peers", Certificates: []tls.Certificate{client},
		}}
		sidecars = append(sidecars, s)
	}
	kubelet := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // as it does
	}}
	code := func(c *http.Client, url string) int {
		response, err := c.Get(url)
		if err != nil {
			t.Log(err)
			return 0
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for _, s := range sidecars {
		poll.Until(t, "the kubelet's readiness probe passes", func() bool { return code(kubelet, s.health+"/health/ready") == 200 })
		for path, want := range map[string]int{s.health + "/health/live": 200, s.health + "/health": 403, s.health + "/health/peer": 403, s.health + "/": 403, s.metrics: 403} {
			if got := code(kubelet, path); got != want {
				t.Errorf("%s without a certificate: %d, want %d", path, got, want)
			}
		}
		if !strings.Contains(s.get("/health/database").body, `"healthy"`) || len(s.scrape()) == 0 {
			t.Error("no answer with a certificate")
		}
	}

	check := exec.Command(binary, "check")
	check.Env = append(environ(vars[0]), "HEALTH_ADDR="+sidecars[0].Health)
	if output, err := check.CombinedOutput(); err != nil || !strings.Contains(string(output), "healthy") {
		t.Errorf("check: %v\n%s", err, output)
	}
	certFile, keyFile := checking.KeyPair(t, client)
	remote := exec.Command(binary, "check", "endpoints", "--url", sidecars[0].health, "--metrics-url", sidecars[0].metrics, "--insecure", "--cert-file", certFile, "--key-file", keyFile)
	remote.Env = []string{"PATH=" + os.Getenv("PATH")}
	if output, err := remote.CombinedOutput(); err != nil {
		t.Errorf("check endpoints: %v\n%s", err, output)
	}

	renewed := authority.Issue(t, from, until.Add(time.Hour), "reims-health-peers")
	newCert, newKey := checking.KeyPair(t, renewed)
	for from, to := range map[string]string{newCert: certs[0], newKey: keys[0]} {
		if err := os.Rename(from, filepath.Clean(to)); err != nil {
			t.Fatal(err)
		}
	}
	poll.Until(t, "the renewed certificate is served", func() bool {
		response, err := sidecars[0].client.Get(sidecars[0].health + "/health/live")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.TLS.PeerCertificates[0].Equal(renewed.Leaf)
	})

	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, s := range sidecars {
		poll.Until(t, "the fault is shared", func() bool { return strings.Contains(s.get("/health/database").body, `"fault_scope":"shared"`) })
		if a := s.get("/health/ready"); a.code != 200 || !strings.Contains(a.body, `"held":true`) {
			t.Errorf("/health/ready: %d %s", a.code, a.body)
		}
	}
}
