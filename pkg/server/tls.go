package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/readfile"
	"github.com/reims/reims-health/pkg/rendered"
)

// TLSFiles are the PEM files of an HTTPS server. The zero value means plain HTTP.
//
// They are read again every 5 s, so that a rotation needs no restart. Files that cannot be
// used are logged once, and the last good ones stay in use; until there are good
// ones, every handshake fails.
type TLSFiles struct {
	// Cert has the server's certificate, followed by the intermediate certificates up to
	// the root; Key has its key. Both or neither must be set.
	Cert, Key string
	// ClientCA has the authorities of client certificates. A client that sends a certificate
	// of another authority is refused. Empty: no certificate is requested. [RequireCertificate]
	// refuses clients that send none.
	ClientCA string
}

// certificates keeps the TLS configuration from the files.
type certificates struct {
	files  TLSFiles
	period time.Duration // between two reads of the files
	addr   string        // of the listener, for the log
	log    *slog.Logger
	config atomic.Pointer[tls.Config] // nil until the files were good once

	// Only the goroutine that reads the files uses these.
	read    [3][]byte // their last good content
	problem string    // the problem that was logged
}

// newCertificates reads the files. It logs a file that cannot be used.
func newCertificates(files TLSFiles, period time.Duration, addr string, log *slog.Logger) *certificates {
	c := &certificates{files: files, period: period, addr: addr, log: log}
	c.refresh()
	return c
}

// start reads the files again until ctx is done.
func (c *certificates) start(ctx context.Context) {
	tick := time.NewTicker(c.period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.refresh()
		}
	}
}

func (c *certificates) refresh() {
	changed, err := c.load()
	switch {
	case err != nil && err.Error() != c.problem:
		c.problem = err.Error()
		if c.config.Load() == nil {
			c.log.Error("no certificate: every HTTPS request fails until there is one", "addr", c.addr, "error", err)
		} else {
			c.log.Warn("the TLS files cannot be used: the last good ones stay in use", "addr", c.addr, "error", err)
		}
	case err == nil && changed:
		c.problem = ""
		c.log.Info("certificate read", "addr", c.addr, "valid_until", c.config.Load().Certificates[0].Leaf.NotAfter)
	case err == nil:
		c.problem = ""
	}
}

// load reads the files, and reports whether they have changed. Its error names
// the file.
func (c *certificates) load() (changed bool, err error) {
	var read [3][]byte
	var problems []error
	for i, name := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if name == "" {
			continue
		}
		content, err := readfile.Regular(name, readfile.MaxPEM)
		problems, read[i] = append(problems, err), content
	}
	if err := errors.Join(problems...); err != nil {
		return false, err
	}
	if c.config.Load() != nil && slices.EqualFunc(read[:], c.read[:], bytes.Equal) {
		return false, nil
	}
	config, err := c.files.config(read[0], read[1], read[2])
	if err != nil {
		return false, err
	}
	c.read = read
	c.config.Store(config)
	return true, nil
}

func (f TLSFiles) config(cert, key, clientCA []byte) (*tls.Config, error) {
	pair, err := readfile.ParseKeyPair(f.Cert, f.Key, cert, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if f.ClientCA == "" {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if !config.ClientCAs.AppendCertsFromPEM(clientCA) {
		return nil, &readfile.Error{Name: f.ClientCA, Problem: "holds no certificate in PEM form"}
	}
	return config, nil
}

// listen returns a TLS listener on l.
func (c *certificates) listen(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if config := c.config.Load(); config != nil {
				return config, nil
			}
			return nil, fmt.Errorf("no certificate for %s", c.addr)
		},
	})
}

// RequireCertificate serves only requests with a client certificate, which the
// server has verified with [TLSFiles].ClientCA, and requests for the open paths, such as the
// kubelet's probes, which cannot send one. Others get a 403.
func RequireCertificate(h http.Handler, open ...string) http.Handler {
	refusal := rendered.New(http.StatusForbidden, contentJSON,
		object{{"success", false}, {"error", "this path needs a client certificate"}}.encode())
	isOpen := make(map[string]bool, len(open))
	for _, path := range open {
		isOpen[path] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOpen[r.URL.Path] || r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			h.ServeHTTP(w, r)
			return
		}
		refusal.Write(w, r)
	})
}
