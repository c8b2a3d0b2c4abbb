package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// secret returns the password that is kept in the server's folder under name; a
// new random one the first time.
func secret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	raw, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	value := rand.Text()
	return value, os.WriteFile(path, []byte(value+"\n"), 0o600)
}

// validity of the certificates: long enough for a developer's folder.
const validity = 10 * 365 * 24 * time.Hour

// Validity is when a server's certificate is valid. The zero value is from an hour ago for
// ten years, which is also that of the authority that vouches for it.
type Validity struct{ From, Until time.Time }

// certFiles are the PEM files of a server's certificate. CA can be handed out.
type certFiles struct {
	CA, Cert, Key string
	// valid is when the server's certificate is.
	valid Validity
}

// WriteCertificate writes the certificate and the key of a server on loopback into the folder, by an authority of its
// own, and returns their paths.
func WriteCertificate(dir string) (cert, key string, err error) {
	files, err := writeCertificate(dir, Validity{})
	return files.Cert, files.Key, err
}

// writeCertificate makes a certificate authority of its own and a certificate by
// it for localhost and 127.0.0.1, in dir, unless they are there.
func writeCertificate(dir string, valid Validity) (certFiles, error) {
	files := certFiles{filepath.Join(dir, "ca.crt"), filepath.Join(dir, "public.crt"), filepath.Join(dir, "private.key"), valid}
	if _, err := os.Stat(files.Key); err == nil {
		return files, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return files, err
	}
	if err := generate(files); err != nil {
		return files, fmt.Errorf("make a certificate in %s: %w", dir, err)
	}
	return files, nil
}

func generate(files certFiles) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := certificate(1, "reims-health test authority")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	if from := files.valid.From; !from.IsZero() && from.Before(ca.NotBefore) {
		ca.NotBefore = from
	}
	caRaw, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := certificate(2, "localhost")
	leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []net.IP{net.ParseIP(loopback)}
	if files.valid != (Validity{}) {
		leaf.NotBefore, leaf.NotAfter = files.valid.From, files.valid.Until
	}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyRaw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key comes last: it marks the set as complete.
	if err := writePEM(files.CA, 0o644, "CERTIFICATE", caRaw); err != nil {
		return err
	}
	if err := writePEM(files.Cert, 0o644, "CERTIFICATE", raw); err != nil {
		return err
	}
	return writePEM(files.Key, 0o600, "PRIVATE KEY", keyRaw)
}

func certificate(serial int64, name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
}

// clock returns a time at which the server's certificate is valid; nil for now.
func (f certFiles) clock() func() time.Time {
	if f.valid == (Validity{}) {
		return nil
	}
	return func() time.Time { return f.valid.From }
}

func writePEM(path string, mode os.FileMode, kind string, raw []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), mode)
}

// trust returns a client's configuration that trusts the authority, also while the server's
// certificate is not valid.
func trust(files certFiles) (*tls.Config, error) {
	raw, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("read %s: no certificate in it", files.CA)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: files.clock()}, nil
}
