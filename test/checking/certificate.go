package checking

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// above are the certificates from this authority up to, and without, the root.
	above [][]byte
}

// NewAuthority returns a root that is valid from then until then.
func NewAuthority(t testing.TB, from, until time.Time) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t)}
	template := authorityTemplate(from, until)
	a.cert = sign(t, template, template, a.key, a.key)
	return a
}

// Below returns an authority that this one vouches for.
func (a *Authority) Below(t testing.TB, from, until time.Time) *Authority {
	t.Helper()
	below := &Authority{key: newKey(t)}
	below.cert = sign(t, authorityTemplate(from, until), a.cert, below.key, a.key)
	below.above = append([][]byte{below.cert.Raw}, a.above...)
	return below
}

// Renewed returns the authority with another certificate for the same key.
func (a *Authority) Renewed(t testing.TB, from, until time.Time) *Authority {
	t.Helper()
	template := authorityTemplate(from, until)
	template.Subject = a.cert.Subject
	return &Authority{key: a.key, cert: sign(t, template, template, a.key, a.key), above: a.above}
}

// Certificate returns the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// File returns the path of a PEM file with the authority's certificate.
func (a *Authority) File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Roots returns a pool with the authority's certificate.
func (a *Authority) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return roots
}

// Issue returns the certificate of a server or a client, with those that lead to the root. Each name is a
// host's or an address.
func (a *Authority) Issue(t testing.TB, from, until time.Time, names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "server"},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key := newKey(t)
	leaf := sign(t, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: append([][]byte{leaf.Raw}, a.above...), PrivateKey: key, Leaf: leaf}
}

// KeyPair returns the paths of PEM files with a certificate and its key.
func KeyPair(t testing.TB, cert tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// Chain returns the certificates that a server presents.
func Chain(t testing.TB, cert tls.Certificate) []*x509.Certificate {
	t.Helper()
	chain, err := x509.ParseCertificates(bytes.Join(cert.Certificate, nil))
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// Handshaking makes a TLS server of each connection, which serve then speaks on.
func Handshaking(cert tls.Certificate, serve func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		secured := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		if secured.Handshake() == nil {
			serve(secured)
		}
	}
}

func authorityTemplate(from, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority " + rand.Text()},
		NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
