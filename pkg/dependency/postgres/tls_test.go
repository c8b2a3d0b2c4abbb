package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"

	"github.com/reims/reims-health/pkg/dependency/postgres"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// pgKeyPair returns a certificate and its key, in PEM form.
func pgKeyPair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "reims"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// Files that can't be used are named, with the reason, and nothing is dialled.
func TestPostgresUnusableTLSFiles(t *testing.T) {
	t.Parallel()
	cert, key := pgKeyPair(t)
	_, otherKey := pgKeyPair(t)
	encrypted := pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("canary")}
	encryptedOfOld := pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("canary"), Headers: map[string]string{
		"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00000000000000000000000000000000",
	}}
	for name, c := range map[string]struct {
		cert, key, root []byte
		want            string
	}{
		"another's key":     {cert, otherKey, nil, "DATABASE_SSLKEY: the key is not that"},
		"encrypted":         {cert, pem.EncodeToMemory(&encrypted), nil, "DATABASE_SSLKEY: the key is encrypted"},
		"encrypted, of old": {cert, pem.EncodeToMemory(&encryptedOfOld), nil, "DATABASE_SSLKEY: the key is encrypted"},
		"no key":            {cert, []byte("canary"), nil, "DATABASE_SSLKEY: the file holds no key"},
		"exchanged":         {key, cert, nil, "DATABASE_SSLCERT and DATABASE_SSLKEY"},
		"missing":           {cert, nil, nil, "DATABASE_SSLKEY: the file is missing"},
		"no certificate":    {cert, key, []byte("canary"), "DATABASE_SSLROOTCERT: the file holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name string, content []byte) string {
				file := filepath.Join(dir, name)
				if content == nil {
					return file
				}
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
			db := pgOpen(t, "127.0.0.1:1", func(config *database.Config) {
				config.SSLMode = "require"
				config.SSLCert, config.SSLKey = write("cert", c.cert), write("key", c.key)
				if c.root != nil {
					config.SSLRootCert = write("root", c.root)
				}
			})
			_, err := pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
			if message := pgFault(t, err, health.ReasonTLS, db.Pool()); !strings.Contains(message, c.want) || strings.Contains(message, dir) {
				t.Errorf("message = %q, want it to say %q", message, c.want)
			}
		})
	}
}

// A server that refuses our certificate, or misses one, says so.
func TestPostgresRefusesClientCertificate(t *testing.T) {
	t.Parallel()
	authority := servers.RunPostgres(t, servers.PostgresOptions{TLS: true}).CAFile()
	pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true, Settings: map[string]string{"ssl_ca_file": authority}, HBA: []string{
		"hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca",
		"hostssl all all 127.0.0.1/32 scram-sha-256",
	}})
	pgRole(t, pg, "certified", "")
	cert, key := pgKeyPair(t)
	dir := t.TempDir()
	own, ownKey := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, content := range map[string][]byte{own: cert, ownKey: key} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		cert, key string
		want      health.Reason
		message   string
	}{
		// crypto/tls sends none where it fits none of the authorities that the server names.
		"of an unknown authority": {own, ownKey, health.ReasonAuth, "the server wants a client certificate, check DATABASE_SSLCERT"},
		"none":                    {"", "", health.ReasonAuth, "the server wants a client certificate, check DATABASE_SSLCERT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgOpen(t, pg.Addr(), func(config *database.Config) {
				config.SSLMode, config.SSLCert, config.SSLKey = "require", c.cert, c.key
				config.User, config.Password = "certified", checking.Password("canary-certified")
			})
			_, err := pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
			if message := pgFault(t, err, c.want, db.Pool()); !strings.Contains(message, c.message) {
				t.Errorf("message = %q, want it to say %q (%v)", message, c.message, err)
			}
		})
	}
}

// A server that is sent a certificate and refuses it ends the handshake with an alert.
func TestPostgresRefusedCertificateIsNamed(t *testing.T) {
	t.Parallel()
	cert, key := pgKeyPair(t)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	addr := checking.Answering(t, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil { // SSLRequest
			return
		}
		_, _ = c.Write([]byte{'S'})
		secured := tls.Server(c, &tls.Config{
			Certificates:          []tls.Certificate{pair},
			ClientAuth:            tls.RequireAnyClientCert,
			VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return errors.New("refused") },
		})
		_ = secured.HandshakeContext(t.Context())
		checking.Drain(c)
	})
	dir := t.TempDir()
	own, ownKey := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, content := range map[string][]byte{own: cert, ownKey: key} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := pgOpen(t, addr, func(config *database.Config) {
		config.SSLMode, config.SSLCert, config.SSLKey = "require", own, ownKey
		config.User, config.Password = "certified", checking.Password("canary-certified")
	})
	_, err = pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
	const want = "the server refused the client certificate in DATABASE_SSLCERT"
	if message := pgFault(t, err, health.ReasonTLS, db.Pool()); !strings.Contains(message, want) {
		t.Errorf("message = %q, want it to say %q (%v)", message, want, err)
	}
}
