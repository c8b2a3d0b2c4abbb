package dependency

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/readfile"
)

// TLSConfig returns the configuration of a TLS client that trusts only the certificates in
// caFile (PEM), or those of the system if caFile is empty. The file is read at each
// handshake, so a rotated one needs no restart. If it is missing, not a regular file, larger
// than 2 MiB or without a certificate, the handshake fails with a [health.ReasonTLS] fault;
// the start does not.
//
// The caller sets ServerName on a clone, as net/http does by itself. The certificate must be
// for that name. TLS sends no IP address as a name. If the server is given by its IP address,
// the certificate must be for host. If host is empty too, any certificate of an authority in
// caFile is accepted; without a caFile the handshake fails.
//
// Seen stores the validity of the certificates of each handshake, even if it fails because
// of them; a kind passes [Instance].Certificates. Nil: it is not stored. If a certificate has
// ended, the handshake fails with a [health.ReasonCertificateExpired] fault.
//
// The configuration verifies in VerifyConnection, not in crypto/tls. So InsecureSkipVerify
// is set, and a caller may add to the configuration (Certificates, NextProtos) but must not
// replace VerifyConnection.
func TLSConfig(caFile, host string, seen *Certificates) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, on resumed sessions too
		VerifyConnection: func(state tls.ConnectionState) error {
			name := cmp.Or(state.ServerName, host)
			if caFile == "" {
				return seen.verifyBySystem(state, name)
			}
			roots, err := readCAs(caFile)
			if err != nil {
				seen.see(state)
				return &health.Fault{
					Reason:  health.ReasonTLS,
					Message: "the file that the service's _CA_FILE variable names cannot be read, or holds no certificate",
					Err:     err,
				}
			}
			return seen.verify(state, roots, name)
		},
	}
}

func readCAs(file string) (*x509.CertPool, error) {
	pem, err := readfile.Regular(file, readfile.MaxPEM)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no PEM certificate in " + file)
	}
	return roots, nil
}

// ClientCertificate changes cfg so that it presents the certificate in certFile, with the key
// in keyFile (both PEM), to a server that requests one. The files are read at each such
// handshake, so rotated ones need no restart. If they cannot be used, the handshake fails
// with a [health.ReasonTLS] fault.
func ClientCertificate(cfg *tls.Config, certFile, keyFile string) {
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err1 := readfile.Regular(certFile, readfile.MaxPEM)
		key, err2 := readfile.Regular(keyFile, readfile.MaxPEM)
		pair, err := tls.Certificate{}, errors.Join(err1, err2)
		problem := "the files of {CERT_FILE} and {KEY_FILE} cannot be read"
		if err == nil {
			pair, err = tls.X509KeyPair(cert, key)
			words, ofKey := readfile.KeyPairProblem(cert, key)
			problem = "{CERT_FILE} and {KEY_FILE} cannot be used: " + words
			if ofKey {
				problem = "{KEY_FILE} cannot be used: " + words
			}
		}
		if err != nil {
			return nil, &health.Fault{
				Reason:  health.ReasonTLS,
				Message: "the server asks for a client certificate, and " + problem,
				Err:     err,
			}
		}
		return &pair, nil
	}
}

// WantsTLS reports whether the fault came from a connection without TLS to a server that
// requires TLS. Such a server closes the connection or sends an alert. WantsTLS connects and
// tries a TLS handshake. It sends nothing else, so it accepts every certificate.
func WantsTLS(ctx context.Context, d *dial.Dialer, fault *health.Fault, network, addr string, limit time.Duration) bool {
	if fault.Reason != health.ReasonReset && fault.Reason != health.ReasonProtocol {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // see above
	return secured.HandshakeContext(ctx) == nil
}

// CertificateMessage returns a message if the server refused a handshake because it requires
// a client certificate, or "". TLS 1.2 has no alert for only this case.
func CertificateMessage(err error, server, advice string) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return ""
	}
	switch op.Err.Error() {
	case "tls: certificate required":
		return server + " asks for a client certificate, which the sidecar does not have: " + advice
	case "tls: bad certificate", "tls: handshake failure":
		return server + " refused the TLS handshake: it may ask for a client certificate, which the sidecar does not have (" + advice + ")"
	default:
		return ""
	}
}
