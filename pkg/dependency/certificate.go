package dependency

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// certificateNotAfter is the measure of every kind that speaks TLS.
const certificateNotAfter = "certificate_not_after"

// CertificateMeasure describes the end of the server's certificate, which the checkers of
// [Open] report after the first handshake. Each kind that speaks TLS declares it, after its
// own measures.
func CertificateMeasure() health.Measure {
	return health.Measure{
		Name: certificateNotAfter, Unit: health.UnitTime, Title: "Certificate valid until",
		Gauge: health.Gauge{
			Name: "reims_health_certificate_not_after_timestamp_seconds",
			Help: "When the certificates end that the server presented, in seconds since 1970: the first end in the chain that was verified; " +
				"where nothing is verified, or the certificates do not pass, the end of the server's own one.",
			Absent: "without TLS, and before the first handshake",
		},
	}
}

// Certificates stores the validity of the certificates that the server presented in the
// latest handshake. It stays until the next handshake, since a kept connection has none. The
// zero value is ready to use. Handshakes may run on other goroutines than checks.
type Certificates struct {
	mu   sync.Mutex
	last *validity
}

// Forget removes the stored validity. It is called if the present connection has no TLS.
func (c *Certificates) Forget() { c.remember(nil) }

// remember does nothing for a nil receiver.
func (c *Certificates) remember(v *validity) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = v
}

func (c *Certificates) latest() (validity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return validity{}, false
	}
	return *c.last, true
}

// Watch changes a configuration of a driver, so that the validity of its certificates is
// stored. The verification stays the same: chain and name; only the chain, if
// InsecureSkipVerify and VerifyPeerCertificate are set, as by pgx for sslmode=verify-ca; or
// none, if only InsecureSkipVerify is. A configuration with a VerifyConnection, such as one
// that was changed before, is not changed.
func (c *Certificates) Watch(cfg *tls.Config) {
	if cfg.VerifyConnection != nil {
		return
	}
	roots, name := cfg.RootCAs, cfg.ServerName
	switch {
	case cfg.InsecureSkipVerify && cfg.VerifyPeerCertificate == nil:
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			c.see(state)
			return nil
		}
		return
	case cfg.InsecureSkipVerify:
		name = ""
	}
	cfg.InsecureSkipVerify, cfg.VerifyPeerCertificate = true, nil
	cfg.VerifyConnection = func(state tls.ConnectionState) error { return c.verify(state, roots, name) }
}

// see stores the validity of the server's certificate without verifying it.
func (c *Certificates) see(state tls.ConnectionState) {
	if len(state.PeerCertificates) > 0 {
		v := validityOf(state.PeerCertificates[:1])
		c.remember(&v)
	}
}

// verifyBySystem verifies with the system's roots. It requires a name, because a public
// authority issues certificates to everyone.
func (c *Certificates) verifyBySystem(state tls.ConnectionState, name string) error {
	if name == "" {
		c.see(state)
		return &tls.CertificateVerificationError{Err: errors.New("no name is known that the certificate must be for")}
	}
	return c.verify(state, nil, name)
}

// verify stores the validity of the server's certificates and verifies them as crypto/tls
// does. Nil roots are the system's. An empty name accepts every name. The error is a
// [health.Fault] or a [tls.CertificateVerificationError].
func (c *Certificates) verify(state tls.ConnectionState, roots *x509.CertPool, name string) error {
	if len(state.PeerCertificates) == 0 {
		return &tls.CertificateVerificationError{Err: errors.New("the server sent no certificate")}
	}
	v, err := verifyAt(time.Now(), state.PeerCertificates, x509.VerifyOptions{Roots: roots, DNSName: name})
	c.remember(&v)
	return err
}

// verifyAt returns the validity of the certificates even if it returns an error.
func verifyAt(now time.Time, presented []*x509.Certificate, options x509.VerifyOptions) (validity, error) {
	options.Intermediates = x509.NewCertPool()
	for _, cert := range presented[1:] {
		options.Intermediates.AddCert(cert)
	}
	leaf := validityOf(presented[:1])
	options.CurrentTime = now
	chains, err := presented[0].Verify(options)
	if err == nil {
		return lasting(chains), nil
	}
	refused := &tls.CertificateVerificationError{UnverifiedCertificates: presented, Err: err}
	if v, ended := endedBefore(now, presented, options); ended {
		return v, &health.Fault{Reason: health.ReasonCertificateExpired, Message: v.name() + " ended at " + v.end() + ": renew it", Err: refused}
	}
	if later := slices.MaxFunc(presented, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) }); now.Before(later.NotBefore) {
		return leaf, &health.Fault{
			Reason: health.ReasonTLS,
			Message: "a certificate of the server is not valid before " + atMinute(later.NotBefore) +
				": compare this machine's clock with that of the machine that issued it",
			Err: refused,
		}
	}
	return leaf, refused
}

// endedBefore reports whether the verification failed because a certificate has ended: the
// server's own has, or the verification succeeds for an earlier time. It tries two times:
// when the first certificate ended, and when the last one was issued. The latter also finds
// an ended authority that the server did not present. crypto/x509 has no error type for an
// authority that has ended.
func endedBefore(now time.Time, presented []*x509.Certificate, options x509.VerifyOptions) (validity, bool) {
	first, issued := now, presented[0].NotBefore
	for _, cert := range presented {
		if cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
		if cert.NotBefore.After(issued) {
			issued = cert.NotBefore
		}
	}
	for _, earlier := range []time.Time{first, issued} {
		if !earlier.Before(now) {
			continue
		}
		options.CurrentTime = earlier
		if chains, err := presented[0].Verify(options); err == nil {
			return lasting(chains), true
		}
	}
	leaf := validityOf(presented[:1])
	return leaf, leaf.ended(now)
}

// validity is the period of the certificate in a chain that ends first.
type validity struct {
	from, until time.Time
	// authority says that it is not the server's own certificate.
	authority bool
	// verified says that the whole chain was verified.
	verified bool
}

// validityOf returns the validity of a chain.
func validityOf(chain []*x509.Certificate) validity {
	first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return validity{from: first.NotBefore, until: first.NotAfter, authority: first != chain[0]}
}

// lasting returns the validity of the chain that ends last, since one valid chain is enough.
func lasting(chains [][]*x509.Certificate) validity {
	var longest validity
	for _, chain := range chains {
		if v := validityOf(chain); v.until.After(longest.until) {
			longest = v
		}
	}
	longest.verified = true
	return longest
}

func (v validity) ended(now time.Time) bool { return now.After(v.until) }

// warn returns a fault if the certificate ends within the warning, or within a third of its
// period if that is shorter, and nil otherwise.
func (v validity) warn(now time.Time, warning time.Duration) *health.Fault {
	if v.until.Sub(now) >= min(warning, v.until.Sub(v.from)/3) {
		return nil
	}
	message := v.name() + " ends at " + v.end() + ": renew it"
	switch {
	case v.ended(now) && v.verified:
		message = v.name() + " ended at " + v.end() + ": renew it"
	case v.ended(now):
		message = v.name() + " ended at " + v.end() + "; the sidecar does not verify it, and clients that do refuse it: renew it"
	}
	return &health.Fault{Reason: health.ReasonCertificateExpiring, Message: message}
}

func (v validity) name() string {
	if v.authority {
		return "the certificate of an authority that vouches for the server"
	}
	return "the server's certificate"
}

func (v validity) end() string { return atMinute(v.until) }

func atMinute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Open returns the checker of a service with these settings. It does not connect. If the
// settings pass the instance's [Certificates] to [TLSConfig], each check reports the
// [CertificateMeasure]. A service without another fault is then degraded
// ([health.ReasonCertificateExpiring]) from CertificateWarning before that end.
func Open(s Settings, i Instance) (Checker, error) {
	if i.Certificates == nil {
		i.Certificates = new(Certificates)
	}
	c, err := s.Open(i)
	if err != nil {
		return nil, err
	}
	return &certified{c, i.Certificates, i.CertificateWarning}, nil
}

// certified adds the end of the server's certificates, and the warning, to each check.
type certified struct {
	Checker
	certificates *Certificates
	warning      time.Duration
}

var _ health.Redialer = (*certified)(nil)

// Check implements [health.Checker].
func (c *certified) Check(ctx context.Context) (health.Observation, error) {
	seen, err := c.Checker.Check(ctx)
	v, known := c.certificates.latest()
	if !known {
		return seen, err
	}
	seen.Values = append(slices.Clip(seen.Values), health.Time(certificateNotAfter, v.until))
	if err != nil {
		return seen, err
	}
	if fault := v.warn(time.Now(), c.warning); fault != nil {
		return seen, fault
	}
	return seen, nil
}

// Redial implements [health.Redialer] for checkers that do.
func (c *certified) Redial() {
	if r, ok := c.Checker.(health.Redialer); ok {
		r.Redial()
	}
}
