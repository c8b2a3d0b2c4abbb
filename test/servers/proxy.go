package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/reims/reims-health/test/servers/install"
)

// ProxyProgram is a proxy that Debian has.
type ProxyProgram string

// The proxies. Nginx and HAProxy speak HTTP, Twemproxy Redis's protocol.
const (
	Nginx     ProxyProgram = "nginx"
	HAProxy   ProxyProgram = "haproxy"
	Twemproxy ProxyProgram = "nutcracker"
)

// ProxyOptions say how to start a proxy.
type ProxyOptions struct {
	Options
	// Program is the proxy. Required.
	Program ProxyProgram
	// Target is the host:port of the only server behind it. Required; it may be down.
	Target string
	// HostHeader is what nginx sends as Host; by default the client's own.
	HostHeader string
}

// Proxy stands between a client and one server.
type Proxy struct {
	*Process
	options ProxyOptions
	// stats is the port that Twemproxy insists on, beside the one that it serves.
	stats            int
	statsReservation io.Closer
}

// NewProxy prepares a proxy.
func NewProxy(o ProxyOptions) (*Proxy, error) {
	p, err := newProcess(string(o.Program), o.Options)
	if err != nil {
		return nil, err
	}
	x := &Proxy{Process: p, options: o}
	if x.stats, x.statsReservation, err = reservePort(loopback); err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s: %w", o.Program, err), p.Close())
	}
	x.path = "/usr/sbin/" + string(o.Program)
	x.prepare = x.configure
	x.ready = func(ctx context.Context) error { return dial(ctx, x.Addr()) }
	return x, nil
}

func (x *Proxy) configure(ctx context.Context) error {
	conf := filepath.Join(x.dir, "proxy.conf")
	var needed, text string
	switch x.options.Program {
	case Nginx:
		needed, text = "nginx-light", x.nginx()
		x.args = []string{"-p", x.dir, "-e", "stderr", "-c", conf}
	case HAProxy:
		needed, text = "haproxy", x.haproxy()
		x.args = []string{"-db", "-f", conf}
	case Twemproxy:
		needed, text = "nutcracker", x.twemproxy()
		x.args = []string{"-c", conf, "-a", loopback, "-s", strconv.Itoa(x.stats)}
	default:
		return fmt.Errorf("no proxy is called %q", x.options.Program)
	}
	if err := install.Packages(ctx, x.progress(), needed); err != nil {
		return err
	}
	return x.writeFile(conf, text)
}

func (x *Proxy) nginx() string {
	host := x.options.HostHeader
	if host == "" {
		host = "$http_host"
	}
	return fmt.Sprintf(`daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
	server {
		listen %s;
		location / { proxy_pass http://%s; proxy_set_header Host %s; }
	}
}
`, x.Addr(), x.options.Target, host)
}

func (x *Proxy) haproxy() string {
	return fmt.Sprintf(`defaults
	mode http
	timeout connect 1s
	timeout client 30s
	timeout server 30s
frontend in
	bind %s
	default_backend out
backend out
	server only %s check inter 100ms
`, x.Addr(), x.options.Target)
}

func (x *Proxy) twemproxy() string {
	return fmt.Sprintf("proxy:\n  listen: %s\n  hash: fnv1a_64\n  redis: true\n  servers:\n   - %s:1\n", x.Addr(), x.options.Target)
}

// Endpoint returns the proxy's URL.
func (x *Proxy) Endpoint() string {
	if x.options.Program == Twemproxy {
		return "redis://" + x.Addr()
	}
	return "http://" + x.Addr()
}

// Env returns nothing: the variables are those of the server behind it.
func (x *Proxy) Env() []Var { return nil }

// Close stops the proxy for good and gives its ports back.
func (x *Proxy) Close() error { return errors.Join(x.Process.Close(), x.statsReservation.Close()) }
