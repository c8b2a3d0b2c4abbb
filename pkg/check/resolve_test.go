package check_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/reims/reims-health/pkg/check"
)

// nameServer answers each query with a code, or not at all.
func nameServer(t *testing.T, code dnsmessage.RCode, silent bool) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	serving.Go(func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if silent || m.Unpack(packet[:n]) != nil {
				continue
			}
			m.Response, m.RCode, m.Additionals = true, code, nil
			if reply, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	})
	return conn.LocalAddr().String()
}

// A name that does not exist, a name server that does not answer and one that refuses
// are three faults, and none is the sidecar's.
func TestNameServerFaults(t *testing.T) {
	t.Parallel()
	closed := nameServer(t, 0, true)
	if conn, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
		closed = conn.LocalAddr().String()
		conn.Close()
	}
	for name, c := range map[string]struct{ server, want string }{
		"no such name":   {nameServer(t, dnsmessage.RCodeNameError, false), `the host "reims.test" was not found`},
		"silent":         {nameServer(t, 0, true), `the name server did not answer within 400ms, so "reims.test" has no address`},
		"refuses":        {nameServer(t, dnsmessage.RCodeRefused, false), `the name server did not look up "reims.test": it refused or failed`},
		"fails":          {nameServer(t, dnsmessage.RCodeServerFailure, false), `the name server did not look up "reims.test": it refused or failed`},
		"is not running": {closed, `the name server did not look up "reims.test": it refused or failed`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dialer := &net.Dialer{Resolver: &net.Resolver{
				PreferGo: true,
				Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "udp", c.server)
				},
			}}
			// The name ends with a dot, so that no search list of this machine counts.
			client := check.NewClient(check.Options{
				URL: &url.URL{Scheme: "http", Host: "reims.test.:8008"}, Timeout: 400 * time.Millisecond,
				Transport: &http.Transport{DialContext: dialer.DialContext},
			})
			_, err := client.Get(t.Context(), "/health")
			if err == nil {
				t.Fatal("no error")
			}
			text := strings.ReplaceAll(err.Error(), `"reims.test."`, `"reims.test"`)
			if !strings.Contains(text, c.want) || strings.Contains(text, "firewall") || strings.Contains(text, "starved") {
				t.Errorf("%s\nwant: %s", text, c.want)
			}
		})
	}
}

// A sidecar that does not answer, behind a name that resolves, is still the silent one.
func TestSilentSidecarBehindAName(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	client := check.NewClient(check.Options{URL: &url.URL{Scheme: "http", Host: "localhost:" + port}, Timeout: 400 * time.Millisecond})
	if _, err := client.Get(t.Context(), "/health"); err == nil || !strings.Contains(err.Error(), "no answer within 400ms") || strings.Contains(err.Error(), "name server") {
		t.Errorf("%v", err)
	}
}
