package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// keysLast is far longer than any cluster lives.
const keysLast = 30 * 24 * time.Hour

// identity is who a certificate says its holder is.
type identity struct {
	name   string // of its files
	user   string // the common name: Kubernetes' user
	group  string // the organisation: Kubernetes' group; may be empty
	server bool   // it answers TLS at the API server's names too
}

func identities() []identity {
	return []identity{
		{name: "apiserver", user: "kube-apiserver", server: true},
		{name: "admin", user: "admin", group: "system:masters"},
		{name: "kubelet", user: "system:node:" + nodeName, group: "system:nodes"},
		{name: "controller-manager", user: "system:kube-controller-manager"},
		{name: "scheduler", user: "system:kube-scheduler"},
		{name: "proxy", user: "system:kube-proxy"},
	}
}

// pair is a certificate and its key, both in PEM.
type pair struct{ cert, key []byte }

func (p pair) write(name string) error {
	if err := os.WriteFile(inRunDir("pki", name+".crt"), p.cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(inRunDir("pki", name+".key"), p.key, 0o600)
}

// authority signs the cluster's certificates.
type authority struct {
	pair
	parsed *x509.Certificate
	key    crypto.Signer
}

func newAuthority() (*authority, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: clusterName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(keysLast),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &authority{parsed: template, key: key}
	if a.pair, err = a.sign(template, key, keyPEM); err != nil {
		return nil, err
	}
	a.parsed, err = parseCertificate(a.cert)
	return a, err
}

// issue makes a key and a certificate for both ends of TLS.
func (a *authority) issue(i identity) (pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: i.user},
		NotBefore: a.parsed.NotBefore, NotAfter: a.parsed.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if i.group != "" {
		template.Subject.Organization = []string{i.group}
	}
	if i.server {
		template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		template.IPAddresses = []net.IP{net.ParseIP(nodeIP), net.ParseIP(kubernetesIP), net.IPv4(127, 0, 0, 1)}
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return pair{}, err
	}
	return a.sign(template, key, keyPEM)
}

func (a *authority) sign(template *x509.Certificate, key crypto.Signer, keyPEM []byte) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, key.Public(), a.key)
	if err != nil {
		return pair{}, err
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM}, nil
}

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	return x509.ParseCertificate(block.Bytes)
}
