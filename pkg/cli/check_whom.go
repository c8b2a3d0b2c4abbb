package cli

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/readfile"
)

// whom fills in the address and the token from the configuration, which is not read
// where there is --url.
func (s *checkSettings) whom(f *checkFlags, stderr io.Writer) error {
	if s.client.URL != nil {
		return nil
	}
	cfg, _, err := loadConfig(*f.envFile)
	if err != nil {
		return err
	}
	s.client.URL, err = check.LocalURL(cfg.Health.Addr)
	if err != nil {
		return &usageError{fmt.Sprintf("HEALTH_ADDR %q: %v: give --url", cfg.Health.Addr, err)}
	}
	if s.client.Token == "" {
		// As in the sidecar itself: while it cannot be read there is none.
		if s.client.Token, err = cfg.Health.Token.Read(); err != nil {
			fmt.Fprintf(stderr, "warning: no token is sent: %v\n", err)
		}
	}
	return nil
}

func (p *flagProblems) url(flag, value string) *url.URL {
	if p.absent(flag, value) {
		return nil
	}
	u, err := check.ParseURL(value)
	if err != nil {
		p.add(flag, "%v", err)
	}
	return u
}

// other is somebody else to ask, as the sidecar is; nil where the flag was not given.
func (p *flagProblems) other(flag, value string, role check.Role, o check.Options) *check.Options {
	if o.URL = p.url(flag, value); o.URL == nil {
		return nil
	}
	o.Role = role
	return &o
}

func (p *flagProblems) roots(flag, path string) *x509.CertPool {
	if p.absent(flag, path) {
		return nil
	}
	roots, err := check.ReadRoots(path)
	if err != nil {
		p.add(flag, "%v", err)
	}
	return roots
}

// maxTokenSize bounds the file of a token, in bytes.
const maxTokenSize = 64 << 10

func (p *flagProblems) token(flag, path string) string {
	if p.absent(flag, path) {
		return ""
	}
	text, err := readfile.Limited(path, maxTokenSize)
	if err != nil {
		p.add(flag, "%v", err)
		return ""
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		p.add(flag, "%s: want one token in it, with no spaces", path)
	}
	return token
}
