package dependency_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
)

const day = 24 * time.Hour

// What each way not to be valid is called, and the end that is reported with it.
func TestVerifyAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	on := func(days int) time.Time { return now.Add(time.Duration(days) * day) }
	root := checking.NewAuthority(t, on(-1000), on(1000))
	ended := checking.NewAuthority(t, on(-1000), on(-2))
	for name, c := range map[string]struct {
		roots    *checking.Authority
		issuer   *checking.Authority
		from     int // days from now, of the server's certificate
		until    int
		name     string
		want     health.Reason // empty: it passes; tls: also an error without a reason of its own
		end      int
		words    string
		verified bool // or would be, at an earlier time
	}{
		"good":                             {root, root, -10, 90, "a.example", "", 90, "", true},
		"authority ends first":             {root, root.Below(t, on(-100), on(5)), -10, 90, "a.example", "", 5, "", true},
		"root ends first":                  {ended, ended, -1000, -3, "a.example", health.ReasonCertificateExpired, -3, "the server's certificate ended at 2030-05-03 07:08 UTC", true},
		"ended":                            {root, root, -90, -1, "a.example", health.ReasonCertificateExpired, -1, "the server's certificate ended at 2030-05-05 07:08 UTC", true},
		"ended, below an authority":        {root, root.Below(t, on(-100), on(500)), -90, -1, "a.example", health.ReasonCertificateExpired, -1, "the server's certificate", true},
		"authority ended":                  {root, root.Below(t, on(-100), on(-4)), -90, 90, "a.example", health.ReasonCertificateExpired, -4, "an authority that vouches for the server ended at 2030-05-02", true},
		"authority issued later and ended": {root, root.Below(t, on(-50), on(-4)), -90, 90, "a.example", health.ReasonCertificateExpired, -4, "an authority", true},
		"root ended":                       {ended, ended, -90, 90, "a.example", health.ReasonCertificateExpired, -2, "an authority", true},
		"all ended":                        {ended, ended.Below(t, on(-90), on(-5)), -90, -3, "a.example", health.ReasonCertificateExpired, -5, "an authority", true},
		"ended, another's name":            {root, root, -90, -1, "b.example", health.ReasonCertificateExpired, -1, "the server's certificate", false},
		"ended, unknown authority":         {root, ended, -90, -1, "a.example", health.ReasonCertificateExpired, -1, "the server's certificate", false},
		"another's name":                   {root, root, -90, 90, "b.example", health.ReasonTLS, 90, "", false},
		"no name is asked for":             {root, root, -90, 90, "", "", 90, "", true},
		"unknown authority":                {root, ended, -90, 90, "a.example", health.ReasonTLS, 90, "", false},
		"not yet valid":                    {root, root, 1, 90, "a.example", health.ReasonTLS, 90, "not valid before 2030-05-07 07:08 UTC", false},
		"authority not yet valid":          {root, root.Below(t, on(2), on(100)), -1, 90, "a.example", health.ReasonTLS, 90, "not valid before 2030-05-08", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := c.issuer.Issue(t, on(c.from), on(c.until), "a.example")
			until, verified, err := dependency.VerifyAt(now, checking.Chain(t, cert), x509.VerifyOptions{Roots: c.roots.Roots(), DNSName: c.name})
			if until != on(c.end) || verified != c.verified {
				t.Errorf("it ends at %v, verified %v; want %v, %v", until, verified, on(c.end), c.verified)
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := dependency.NetworkFault(err); got.Reason != c.want || !strings.Contains(got.Message, c.words) {
				t.Errorf("got %v, want %s and %q", got, c.want, c.words)
			}
		})
	}
}

// A certificate that several authorities vouch for lasts as long as the best of them.
func TestVerifyAtTakesTheChainThatLastsLongest(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	old := checking.NewAuthority(t, now.Add(-day), now.Add(3*day))
	renewed := old.Renewed(t, now.Add(-day), now.Add(300*day))
	roots := old.Roots()
	roots.AddCert(renewed.Certificate())
	cert := old.Issue(t, now.Add(-day), now.Add(90*day), "a.example")
	until, _, err := dependency.VerifyAt(now, checking.Chain(t, cert), x509.VerifyOptions{Roots: roots, DNSName: "a.example"})
	if want := now.Add(90 * day); err != nil || until != want {
		t.Errorf("it ends at %v (%v), want %v", until, err, want)
	}
}

func TestValidityWarns(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	const week = 7 * day
	for name, c := range map[string]struct {
		past, left          time.Duration
		warning             time.Duration
		authority, verified bool
		words               string // empty: no fault
	}{
		"far":                        {90 * day, week, week, false, true, ""},
		"near":                       {90 * day, week - 1, week, false, true, "the server's certificate ends at 2030-05-13 07:08 UTC"},
		"an authority's":             {90 * day, day, week, true, true, "an authority that vouches for the server ends at 2030-05-07"},
		"short-lived, a third left":  {16 * time.Hour, 8 * time.Hour, week, false, true, ""},
		"short-lived, less":          {16*time.Hour + 1, 8*time.Hour - 1, week, false, true, "ends at 2030-05-06 15:08 UTC"},
		"ends now":                   {90 * day, 0, week, false, true, "ends at"},
		"ended since the handshake":  {90 * day, -1, week, false, true, "the server's certificate ended at 2030-05-06 07:08 UTC: renew it"},
		"ended, and is not verified": {90 * day, -day, week, false, false, "ended at 2030-05-05 07:08 UTC; the sidecar does not verify it"},
		"no warning":                 {90 * day, 1, 0, false, true, ""},
		"no warning, ended":          {90 * day, -1, 0, false, true, "ended at"},
		"a warning of a year":        {364 * day, 2 * day, 365 * day, false, true, "ends at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := dependency.Warn(now.Add(-c.past), now.Add(c.left), c.authority, c.verified, now, c.warning)
			switch {
			case (fault == nil) != (c.words == ""):
				t.Errorf("got %v, want %q", fault, c.words)
			case fault != nil && (fault.Reason != health.ReasonCertificateExpiring || !strings.Contains(fault.Message, c.words)):
				t.Errorf("got %v, want %q", fault, c.words)
			}
		})
	}
}

// A name is needed where the system's authorities are trusted: they vouch for anybody.
func TestSystemRootsNeedAName(t *testing.T) {
	t.Parallel()
	cert := checking.NewAuthority(t, time.Now(), time.Now().Add(day)).Issue(t, time.Now(), time.Now().Add(day), "a.example")
	seen := new(dependency.Certificates)
	state := tls.ConnectionState{PeerCertificates: checking.Chain(t, cert)}
	if err := dependency.TLSConfig("", "", seen).VerifyConnection(state); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("got %v, want that there is no name", err)
	}
	if !seen.Known() {
		t.Error("the certificate was not remembered")
	}
	var authority x509.UnknownAuthorityError
	if err := dependency.TLSConfig("", "a.example", nil).VerifyConnection(state); !errors.As(err, &authority) {
		t.Errorf("got %v, want an unknown authority", err)
	}
}
