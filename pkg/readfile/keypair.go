package readfile

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"strings"
)

// MaxPEM bounds a file of certificates or of a key, in bytes. It is several times the size of
// the certificate bundle of a system.
const MaxPEM = 2 << 20

// KeyPair reads a certificate and its key from regular PEM files. The error names the file that
// is wrong and does not quote its content.
func KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err1 := Regular(certFile, MaxPEM)
	key, err2 := Regular(keyFile, MaxPEM)
	if err := errors.Join(err1, err2); err != nil {
		return tls.Certificate{}, err
	}
	return ParseKeyPair(certFile, keyFile, cert, key)
}

// ParseKeyPair is [KeyPair] for the content of these files.
func ParseKeyPair(certFile, keyFile string, cert, key []byte) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err == nil {
		return pair, nil
	}
	problem, ofKey := KeyPairProblem(cert, key)
	name := certFile
	if ofKey {
		name = keyFile
	}
	return tls.Certificate{}, &Error{Name: name, Problem: "cannot be used: " + problem}
}

// KeyPairProblem says why a PEM certificate and a PEM key cannot be used together, or returns "".
// OfKey reports whether the problem is of the key alone. The text does not quote the files.
func KeyPairProblem(cert, key []byte) (problem string, ofKey bool) {
	block, _ := pem.Decode(key)
	if block == nil {
		return "the file holds no key in PEM form", true
	}
	if strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return "the key is encrypted, and there is no passphrase for it: store it without one", true
	}
	_, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return "", false
	case strings.Contains(err.Error(), "does not match"):
		return "the key is not that of the certificate", true
	default:
		return "the files hold no certificate and key that can be used together", false
	}
}
