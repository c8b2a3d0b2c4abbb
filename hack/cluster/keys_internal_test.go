package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestIdentities(t *testing.T) {
	t.Parallel()
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.cert) {
		t.Fatal("the authority's certificate can't be read")
	}
	for _, i := range identities() {
		p, err := ca.issue(i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.X509KeyPair(p.cert, p.key); err != nil {
			t.Errorf("%s: %v", i.name, err)
		}
		parsed, err := parseCertificate(p.cert)
		if err != nil {
			t.Fatal(err)
		}
		client := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if _, err := parsed.Verify(client); err != nil {
			t.Errorf("%s is no client: %v", i.name, err)
		}
		for _, name := range []string{nodeIP, kubernetesIP, "127.0.0.1", "kubernetes.default.svc"} {
			_, err := parsed.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
			if (err == nil) != i.server {
				t.Errorf("%s at %s: %v", i.name, name, err)
			}
		}
		if parsed.Subject.CommonName != i.user || (i.group != "" && parsed.Subject.Organization[0] != i.group) {
			t.Errorf("%s calls itself %s", i.name, parsed.Subject)
		}
	}
}

func TestKubeconfigIsWhole(t *testing.T) {
	t.Parallel()
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.issue(identities()[1])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := writeKubeconfig(path, ca.cert, client); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil || len(got.Clusters) != 1 || len(got.Users) != 1 {
		t.Fatalf("%v in %s", err, raw)
	}
	if c := got.Clusters[0].Cluster; c.Server != apiServer || !x509.NewCertPool().AppendCertsFromPEM(c.CA) {
		t.Errorf("cluster %+v", c)
	}
	if _, err := tls.X509KeyPair(got.Users[0].User.Cert, got.Users[0].User.Key); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read root's key: %v, %v", info.Mode(), err)
	}
}
