package database

import (
	"crypto/x509"
	"errors"
	"io/fs"

	"github.com/reims/reims-health/pkg/readfile"
)

// maxTLSFileSize is several times that of a system's whole bundle, in bytes.
const maxTLSFileSize = 2 << 20

// tlsFileError says in plain words which of the TLS files can't be used, and why. The
// words hold neither paths nor what is in the files.
type tlsFileError struct {
	text    string
	problem string
}

func (e *tlsFileError) Error() string { return e.text }

// TLSProblem returns the words, for callers that may not show an error's text. They
// begin with the name of the field of [Config].
func (e *tlsFileError) TLSProblem() string { return e.problem }

// tlsProblem looks for what is wrong with the files; empty where it finds nothing.
func (c Config) tlsProblem() string {
	content := map[string][]byte{}
	for _, f := range [][2]string{{"SSLRootCert", c.SSLRootCert}, {"SSLCert", c.SSLCert}, {"SSLKey", c.SSLKey}} {
		if f[1] == "" || f[1] == "system" && f[0] == "SSLRootCert" {
			continue
		}
		text, err := readfile.Regular(f[1], maxTLSFileSize)
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
