package dial

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// Whatever an address and the answer of a name server are, each address to dial is there
// once, has the port, and comes from that answer.
func FuzzResolve(f *testing.F) {
	f.Add("tcp", "host:1", []byte{127, 0, 0, 1, 10, 0, 0, 1})
	f.Add("tcp", "[::1]:1", []byte{})
	f.Add("unix", "/run/x:1", []byte{1})
	f.Add("tcp", "host", []byte{})
	f.Add("tcp", "a:b:c", []byte{1, 2, 3, 4})
	f.Add("tcp6", "h%zone:x", []byte{1, 2, 3, 4, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, network, address string, answer []byte) {
		var ips []netip.Addr
		for ; len(answer) >= 5; answer = answer[5:] { // the first byte chooses the family
			ip := netip.AddrFrom4([4]byte(answer[1:5]))
			if answer[0]%2 == 1 {
				ip = netip.AddrFrom16(ip.As16()) // an IPv4 address in IPv6's form
			} else if answer[0]%3 == 1 {
				ip = netip.AddrFrom16([16]byte{0: 0x20, 12: answer[1], 15: answer[2]})
			}
			ips = append(ips, ip)
		}
		asked := ""
		d := &Dialer{Lookup: func(_ context.Context, host string) ([]netip.Addr, error) { asked = host; return ips, nil }}
		got, err := d.resolve(context.Background(), network, address)
		switch {
		case asked == "":
			if err != nil || len(got) != 1 || got[0] != address {
				t.Fatalf("%q without a name: %q, %v", address, got, err)
			}
			return
		case (err != nil) != (len(ips) == 0):
			t.Fatalf("%d addresses: %q, %v", len(ips), got, err)
		}
		seen := map[string]bool{}
		for _, a := range got {
			host, port, err := net.SplitHostPort(a)
			if err != nil || seen[a] || !strings.HasSuffix(address, ":"+port) {
				t.Errorf("%q leads to %q: %v", address, got, err)
			}
			if _, err := netip.ParseAddr(host); err != nil {
				t.Errorf("%q: %v", a, err)
			}
			seen[a] = true
		}
	})
}
