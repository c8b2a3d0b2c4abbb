package readfile

import (
	"crypto/tls"
	"encoding/pem"
	"strings"
)

// KeyPairProblem says why a PEM certificate and a PEM key cannot be used together, or returns "".
// OfKey tells whether it is about the key alone. The words quote nothing of the files.
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
