//go:build e2e

package cluster_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dns resolves the names of Services on our own node, which has no cluster DNS: it
// asks the API server for each. Others have their own.
type dns struct {
	conn    net.PacketConn
	serving sync.WaitGroup
}

// dnsIP is what the kubelet writes into each Pod's resolv.conf.
const dnsIP = "10.96.0.10"

func startDNS() (*dns, error) {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(env.host, "0"))
	if err != nil {
		return nil, err
	}
	d := &dns{conn: conn}
	d.serving.Go(d.serve)
	return d, d.publish(context.Background())
}

// publish makes the Service through which Pods reach it, anew.
func (d *dns) publish(ctx context.Context) error {
	meta := metav1.ObjectMeta{
		Namespace: metav1.NamespaceSystem, Name: "kube-dns",
		Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"},
	}
	port := int32(d.conn.LocalAddr().(*net.UDPAddr).Port)
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		ClusterIP: dnsIP, Ports: []corev1.ServicePort{{Port: 53, Protocol: corev1.ProtocolUDP}},
	}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{env.host}}},
		Ports:     []discoveryv1.EndpointPort{{Name: new(""), Port: &port, Protocol: new(corev1.ProtocolUDP)}},
	}
	for _, object := range []client.Object{service, slice} {
		if err := client.IgnoreNotFound(kube.Delete(ctx, object)); err != nil {
			return err
		}
		if err := kube.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (d *dns) close() error {
	err := d.conn.Close()
	d.serving.Wait()
	return err
}

func (d *dns) serve() {
	packet := make([]byte, 512)
	for {
		n, from, err := d.conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of one client, that went away
		}
		if answer, err := resolve(packet[:n]); err == nil {
			_, _ = d.conn.WriteTo(answer, from) // who gets none asks again
		}
	}
}

// resolve answers one question.
func resolve(packet []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		ip, ok := serviceIP(q.Name.String())
		switch {
		case !ok:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 5}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip}})
		}
	}
	return m.Pack()
}

// serviceIP finds that of NAME.NAMESPACE.svc.cluster.local.
func serviceIP(name string) (ip [4]byte, ok bool) {
	short, found := strings.CutSuffix(name, ".svc.cluster.local.")
	service, namespace, whole := strings.Cut(short, ".")
	if !found || !whole {
		return ip, false
	}
	var s corev1.Service
	if err := kube.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: service}, &s); err != nil {
		return ip, false
	}
	address, err := netip.ParseAddr(s.Spec.ClusterIP)
	if err != nil { // a headless one
		return ip, false
	}
	return address.As4(), true
}
