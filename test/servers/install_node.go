package servers

import "context"

// InstallNode installs what a Kubernetes node needs beside Kubernetes itself.
func InstallNode(ctx context.Context, o Options) error {
	return Install(ctx, o, etcdPackage,
		Package{"containerd", []string{"/usr/bin/containerd"}, []string{"containerd.service"}},
		Package{"runc", []string{"/usr/sbin/runc", "/usr/bin/runc"}, nil},
		Package{"containernetworking-plugins", []string{"/usr/lib/cni/ptp"}, nil},
		Package{"iptables", []string{"/usr/sbin/iptables"}, nil},
		Package{"iproute2", []string{"/usr/sbin/ip", "/sbin/ip", "/bin/ip"}, nil},
	)
}
