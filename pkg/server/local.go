package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// pageFor returns the page for the client.
func (h *Handler) pageFor(w http.ResponseWriter, r *http.Request) Page {
	if h.options.OperatorPage == nil {
		return h.options.Page
	}
	// The page is no-store; this is for caches that store it anyway.
	header := w.Header()
	header["Vary"] = append(header["Vary"], "Authorization, Host, Origin, Sec-Fetch-Site")
	if h.carriesToken(r) || local(r) {
		return h.options.OperatorPage
	}
	return h.options.Page
}

// local reports whether a request comes from a person at loopback, such as through kubectl
// port-forward. It excludes, as far as possible, other requests that arrive at loopback: those that a
// proxy in the same Pod forwards, and those that a page of another origin sends from that
// person's browser, by CORS or with a name that resolves to 127.0.0.1.
func local(r *http.Request) bool {
	return fromLoopback(r.RemoteAddr) && toLoopback(r.Host) && !viaProxy(r) && !crossOrigin(r)
}

// fromLoopback accepts only 127.0.0.1 and ::1: a service mesh delivers requests from
// other hosts from 127.0.0.6.
func fromLoopback(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap()
	return ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback()
}

// toLoopback reports whether the address in the browser is a loopback address. A name that
// another DNS server resolves to 127.0.0.1 is not.
func toLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// viaProxy reports whether a proxy has forwarded the request: by headers that proxies add, or by
// HTTP/1.0, which no browser uses.
func viaProxy(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for name := range r.Header {
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Original-Host", "X-Request-Id", "True-Client-Ip", "Cf-Connecting-Ip", "Traceparent":
			return true
		}
		if strings.HasPrefix(name, "X-Forwarded") || strings.HasPrefix(name, "X-Envoy") {
			return true
		}
	}
	return false
}

// crossOrigin reports whether a page of another origin sent the request. Requests of the page itself
// and of typed addresses have no Origin header.
func crossOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return len(r.Header["Origin"]) > 0 || site != "" && site != "same-origin" && site != "none"
}
