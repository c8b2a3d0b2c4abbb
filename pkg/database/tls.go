package database

import (
	"crypto/x509"
	"errors"
	"io/fs"

	"github.com/reims/reims-health/pkg/readfile"
)

// tlsFileError says which of the TLS files cannot be used, and why.
type tlsFileError struct {
	text    string
	problem string // without paths and content of the files
}

func (e *tlsFileError) Error() string { return e.text }

// TLSProblem returns the problem for callers that must not show the text of the error. It
// begins with the name of a field of [Config], and holds neither paths nor content.
func (e *tlsFileError) TLSProblem() string { return e.problem }

// tlsProblem returns the first problem of the files, or "".
func (c Config) tlsProblem() string {
	content := map[string][]byte{}
	for _, f := range [][2]string{{"SSLRootCert", c.SSLRootCert}, {"SSLCert", c.SSLCert}, {"SSLKey", c.SSLKey}} {
		if f[1] == "" || f[1] == "system" && f[0] == "SSLRootCert" {
			continue
		}
		text, err := readfile.Regular(f[1], readfile.MaxPEM)
		content[f[0]] = text
		refused := new(readfile.Error)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return f[0] + ": the file is missing"
		case errors.Is(err, fs.ErrPermission):
			return f[0] + ": the sidecar's user may not read the file"
		case errors.As(err, &refused):
			return f[0] + ": the file " + refused.Problem
		case err != nil:
			return f[0] + ": the file can't be read"
		}
	}
	if roots, ok := content["SSLRootCert"]; ok && !x509.NewCertPool().AppendCertsFromPEM(roots) {
		return "SSLRootCert: the file holds no certificate in PEM form"
	}
	if c.SSLKey == "" {
		return ""
	}
	return keyProblem(content["SSLCert"], content["SSLKey"])
}

func keyProblem(cert, key []byte) string {
	problem, ofKey := readfile.KeyPairProblem(cert, key)
	switch {
	case problem == "":
		return ""
	case ofKey:
		return "SSLKey: " + problem
	default:
		return "SSLCert and SSLKey: " + problem
	}
}
