package mail_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
)

const (
	greeting   = "mail.reims.test ESMTP"
	messageMax = 10 << 20
)

// smtp greets each client, and answers EHLO and QUIT.
func smtp(c net.Conn) {
	fmt.Fprintf(c, "220 %s\r\n", greeting)
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
		case "EHLO":
			fmt.Fprintf(c, "250-mail.reims.test\r\n250-PIPELINING\r\n250 SIZE %d\r\n", messageMax)
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "502 not implemented\r\n")
		}
	}
}

// greet sends each client a text and hangs up once the client has answered.
func greet(text string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprint(c, text)
		if text != "" {
			_, _ = c.Read(make([]byte, 64))
		}
	}
}

// open returns the checker that the settings make for a server at that address.
func open(t *testing.T, addr string, secured bool) dependency.Checker {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &mail.Settings{Host: host, TLS: config.Switch(secured)}
	if s.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	checker, err := s.Open(dependency.Instance{Prefix: "MAIL_", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checker.Close() })
	return checker
}

func TestReasons(t *testing.T) {
	t.Parallel()
	closed := checking.Listen(t)
	_ = closed.Close()
	for name, c := range map[string]struct {
		addr    string
		secured bool
		want    health.Reason
	}{
		"nothing listens":              {closed.Addr().String(), false, health.ReasonRefused},
		"it hangs up":                  {checking.Answering(t, greet("")), false, health.ReasonReset},
		"it is busy":                   {checking.Answering(t, greet("421 too many\r\n")), false, health.ReasonOverloaded},
		"it offers no mail service":    {checking.Answering(t, greet("554 no\r\n")), false, mail.ReasonNoMailService},
		"it refuses EHLO":              {checking.Answering(t, greet("220 hello\r\n550 no\r\n")), false, health.ReasonProtocol},
		"it speaks something else":     {checking.Answering(t, greet("HTTP/1.1 400 Bad Request\r\n")), false, health.ReasonProtocol},
		"it speaks no TLS":             {checking.Answering(t, smtp), true, health.ReasonTLS},
		"its certificate is untrusted": {checking.Answering(t, checking.ServeTLS(t)), true, health.ReasonTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checking.Fails(t, open(t, c.addr, c.secured), c.want)
		})
	}
}

// A server that says nothing is not waited for longer than the check may take.
func TestSilence(t *testing.T) {
	t.Parallel()
	silent := open(t, checking.Answering(t, checking.Drain), false)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := silent.Check(ctx)
	_ = checking.WantFault(t, err, health.ReasonTimeout)
}

func TestValues(t *testing.T) {
	t.Parallel()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	t.Cleanup(certificate.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate.Certificate())
	secured := mail.New(mail.Options{
		Addr:    checking.Answering(t, func(c net.Conn) { smtp(tls.Server(c, certificate.TLS)) }),
		TLS:     &tls.Config{RootCAs: trusted, ServerName: "example.com"},
		Timeout: time.Minute,
	})
	for name, checker := range map[string]health.Checker{
		"plain": open(t, checking.Answering(t, smtp), false),
		"TLS":   secured,
	} {
		seen := checking.Declared(t, mail.Kind(), checking.Healthy(t, checker))
		if size, _ := seen.Find("message_max"); size != messageMax || seen.Values[0].Text != greeting {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}
