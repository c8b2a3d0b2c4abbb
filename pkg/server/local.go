package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// pageFor returns the page that the reader is shown.
func (h *Handler) pageFor(w http.ResponseWriter, r *http.Request) Page {
	if h.options.OperatorPage == nil {
		return h.options.Page
	}
	// The page is no-store; this is for caches that keep it all the same.
	header := w.Header()
	header["Vary"] = append(header["Vary"], "Authorization, Host, Origin, Sec-Fetch-Site")
	if h.carriesToken(r) || local(r) {
		return h.options.OperatorPage
	}
	return h.options.Page
}

// local reports whether a request comes from a person at loopback, such as through kubectl
// port-forward. Others reach loopback too, and are told apart where that is possible: what a
// proxy in the same Pod passes on, and what a page of another origin asks for in that
// person's browser, by CORS or with a name of its own that leads to 127.0.0.1.
func local(r *http.Request) bool {
	return fromLoopback(r.RemoteAddr) && toLoopback(r.Host) && !passedOn(r) && !crossOrigin(r)
}

// fromLoopback accepts 127.0.0.1 and ::1 alone: a service mesh delivers what comes from
// elsewhere from 127.0.0.6.
func fromLoopback(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap()
	return ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback()
}

// toLoopback reports whether the address in the browser's bar is a loopback one: a name that
// somebody else's DNS resolves to 127.0.0.1 is not.
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

// passedOn reports whether a proxy is in between: by what proxies add to a request, or by
// HTTP/1.0, which no browser speaks.
func passedOn(r *http.Request) bool {
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

// crossOrigin reports whether a page of another origin asks. What the page itself asks for has
// no Origin, nor has an address that a person types.
func crossOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return len(r.Header["Origin"]) > 0 || site != "" && site != "same-origin" && site != "none"
}
