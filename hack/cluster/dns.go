package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	dnsAddr = nodeIP + ":53"
	// dnsTTL is how many seconds a client may keep an answer.
	dnsTTL = 5
)

// nameServer is the cluster's DNS server. It knows the names of Services, asks the API
// server for each, and forwards nothing: the node's network has no way out. It answers
// over UDP only; its answers are short.
type nameServer struct{ api api }

// serveDNS answers on the node's address, which every Pod reaches without a Service.
func serveDNS() error {
	api, err := newAPI()
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", dnsAddr)
	if err != nil {
		return fmt.Errorf("start the DNS server: %w", err)
	}
	return nameServer{api}.serve(conn)
}

// dnsAnswers asks it as a Pod would.
func dnsAnswers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", dnsAddr)
	}}
	_, err := r.LookupNetIP(ctx, "ip4", "kubernetes.default.svc."+clusterDomain+".")
	return err
}

// serve answers one question after the other until conn is closed.
func (s nameServer) serve(conn net.PacketConn) error {
	packet := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			continue // an ICMP error of a client that has ended
		}
		answer, err := s.answer(packet[:n])
		if err != nil {
			fmt.Fprintf(os.Stderr, "answer %s: %v\n", from, err)
			continue
		}
		_, _ = conn.WriteTo(answer, from) // a client that gets no answer asks again
	}
}

// answer fails for a packet that is not a question.
func (s nameServer) answer(packet []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return nil, err
	}
	if m.Response || len(m.Questions) != 1 {
		return nil, fmt.Errorf("%d questions, want one", len(m.Questions))
	}
	m.Response, m.Authoritative, m.RecursionAvailable = true, true, true
	m.Answers, m.Authorities, m.Additionals = nil, nil, nil
	q := m.Questions[0]
	addresses, err := s.lookup(q.Name.String())
	switch {
	case errors.Is(err, errNotFound):
		m.RCode = dnsmessage.RCodeNameError
	case err != nil:
		fmt.Fprintf(os.Stderr, "look up %s: %v\n", q.Name, err)
		m.RCode = dnsmessage.RCodeServerFailure
	case q.Type == dnsmessage.TypeA: // other types: the name exists, with no such record
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: dnsTTL}
		for _, a := range addresses {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		}
	}
	return m.Pack()
}

// lookup returns the IPv4 addresses of a Service: its cluster IP or, when it is
// headless, its ready endpoints. It returns errNotFound for every other name.
func (s nameServer) lookup(name string) ([]netip.Addr, error) {
	namespace, service, ok := splitServiceName(name)
	if !ok {
		return nil, errNotFound
	}
	namespace, service = url.PathEscape(namespace), url.PathEscape(service)
	var found struct{ Spec struct{ ClusterIP string } }
	if err := s.api.get("/api/v1/namespaces/"+namespace+"/services/"+service, &found); err != nil {
		return nil, err
	}
	if found.Spec.ClusterIP == "None" {
		return s.endpoints(namespace, service)
	}
	address, err := netip.ParseAddr(found.Spec.ClusterIP)
	if err != nil {
		return nil, errNotFound // an ExternalName Service: its name is outside the cluster
	}
	return []netip.Addr{address}, nil
}

func (s nameServer) endpoints(namespace, service string) (found []netip.Addr, err error) {
	var slices struct {
		Items []struct {
			AddressType string
			Endpoints   []struct {
				Addresses  []string
				Conditions struct{ Ready *bool }
			}
		}
	}
	const list = "/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector=kubernetes.io/service-name=%s"
	if err := s.api.get(fmt.Sprintf(list, namespace, service), &slices); err != nil {
		return nil, err
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			if slice.AddressType != "IPv4" || e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			for _, text := range e.Addresses {
				address, err := netip.ParseAddr(text)
				if err != nil {
					return nil, err
				}
				found = append(found, address)
			}
		}
	}
	return found, nil
}

// splitServiceName splits SERVICE.NAMESPACE.svc.cluster.local., in any case.
func splitServiceName(name string) (namespace, service string, ok bool) {
	short, ok := strings.CutSuffix(strings.ToLower(name), ".svc."+clusterDomain+".")
	if !ok {
		return "", "", false
	}
	service, namespace, ok = strings.Cut(short, ".")
	return namespace, service, ok && service != "" && namespace != "" && !strings.Contains(namespace, ".")
}
