package check

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ParseURL reads the address of a sidecar as a person gives it: with or without the
// scheme, with or without /health, a path below that, or /metrics at its end. The error never shows a
// password.
func ParseURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL: want http://HOST:PORT or https://HOST:PORT")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q: want http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("no host: want http://HOST:PORT or https://HOST:PORT")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("want no query and no fragment")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), metricsPath)
	if at := strings.LastIndex(u.Path+"/", "/health/"); at >= 0 {
		u.Path = u.Path[:at]
	}
	u.RawPath = ""
	return u, nil
}

// LocalURL is where a sidecar that listens on addr (HEALTH_ADDR) is reached from its
// own machine or Pod.
func LocalURL(addr string) (*url.URL, error) {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return nil, err
	case port == "0":
		return nil, errors.New("port 0 is any free port")
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}, nil
}

// shown is the URL without its user and password.
func shown(u *url.URL) string {
	bare := *u
	bare.User = nil
	return bare.String()
}
