package dependency

import (
	"crypto/x509"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// VerifyAt verifies certificates and returns when the first one ends, and whether all of the
// chain is known.
func VerifyAt(now time.Time, presented []*x509.Certificate, options x509.VerifyOptions) (until time.Time, verified bool, err error) {
	v, err := verifyAt(now, presented, options)
	return v.until, v.verified, err
}

// Warn judges a certificate that is valid from then until then.
func Warn(from, until time.Time, authority, verified bool, now time.Time, warning time.Duration) *health.Fault {
	return validity{from, until, authority, verified}.warn(now, warning)
}

// Known reports whether certificates are remembered.
func (c *Certificates) Known() bool {
	_, known := c.latest()
	return known
}
