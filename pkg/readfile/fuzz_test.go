package readfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/readfile"
)

// Whatever the two files hold, either there is a pair or an error that names one of them, has
// words of a closed set and does not quote either.
func FuzzKeyPair(f *testing.F) {
	cert, key := selfSigned(f)
	f.Add(cert, key)
	f.Add(key, cert)
	f.Add(cert, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add(cert, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key)
	f.Add(append(bytes.Repeat([]byte("junk\n"), 9), cert...), append([]byte("\xef\xbb\xbf"), key...))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		pair, err := readfile.ParseKeyPair("the-cert", "the-key", cert, key)
		problem, ofKey := readfile.KeyPairProblem(cert, key)
		if err == nil {
			if problem != "" || len(pair.Certificate) == 0 || pair.PrivateKey == nil {
				t.Errorf("accepted, and has the problem %q", problem)
			}
			return
		}
		var refused *readfile.Error
		if !errors.As(err, &refused) || (refused.Name == "the-key") != ofKey || refused.Problem != "cannot be used: "+problem {
			t.Fatalf("%v, and the problem %q of the key: %t", err, problem, ofKey)
		}
		if !known[problem] {
			t.Errorf("problem %q", problem)
		}
	})
}

// known are the problems of a pair.
var known = map[string]bool{
	"the file holds no key in PEM form":                                             true,
	"the key is encrypted, and there is no passphrase for it: store it without one": true,
	"the key is not that of the certificate":                                        true,
	"the files hold no certificate and key that can be used together":               true,
}

func selfSigned(f *testing.F) (cert, key []byte) {
	f.Helper()
	private, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	public, err2 := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	encoded, err3 := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err1, err2, err3); err != nil {
		f.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
