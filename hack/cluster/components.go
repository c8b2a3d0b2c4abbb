package main

import "os/exec"

// component is a program of the node that runs as long as it.
type component struct {
	name string // of the program, and of its log
	args []string
	self bool // the program is this one, run again under that name
}

func (c component) command() *exec.Cmd {
	if c.self {
		return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{c.name}, c.args...)}
	}
	return exec.Command(c.name, c.args...)
}

// early are those that need nobody; all others need the API server.
func early() []component {
	return []component{etcd(), containerd(), apiserver()}
}

func late() []component {
	return []component{controllerManager(), scheduler(), kubelet(), proxy(), dns()}
}

func etcd() component {
	return component{name: "etcd", args: []string{
		"--name=" + nodeName,
		"--data-dir=" + dataDir + "/etcd",
		"--listen-client-urls=" + etcdURL,
		"--advertise-client-urls=" + etcdURL,
		"--listen-peer-urls=" + etcdPeerURL,
		"--initial-advertise-peer-urls=" + etcdPeerURL,
		"--initial-cluster=" + nodeName + "=" + etcdPeerURL,
	}}
}

func containerd() component {
	return component{name: "containerd", args: []string{"--config=" + inRunDir("containerd.toml")}}
}

func apiserver() component {
	pki := func(file string) string { return inRunDir("pki", file) }
	return component{name: "kube-apiserver", args: []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=0.0.0.0",
		"--advertise-address=" + nodeIP,
		"--service-cluster-ip-range=" + serviceNetwork,
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--kubelet-client-certificate=" + pki("admin.crt"),
		"--kubelet-client-key=" + pki("admin.key"),
		// The node has no name that resolves; logs and exec go to its address.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc." + clusterDomain,
		"--service-account-key-file=" + serviceAccountKeyFile(),
		"--service-account-signing-key-file=" + serviceAccountKeyFile(),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--audit-policy-file=" + inRunDir("audit.yaml"),
		"--audit-log-path=" + auditLog(),
	}}
}

func controllerManager() component {
	return component{name: "kube-controller-manager", args: []string{
		"--kubeconfig=" + componentKubeconfig("controller-manager"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		// Its own limit would be half of the time that the cluster takes to start.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + serviceAccountKeyFile(),
		"--root-ca-file=" + inRunDir("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + inRunDir("pki", "ca.crt"),
		"--cluster-signing-key-file=" + inRunDir("pki", "ca.key"),
	}}
}

func scheduler() component {
	return component{name: "kube-scheduler", args: []string{
		"--kubeconfig=" + componentKubeconfig("scheduler"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	}}
}

func kubelet() component {
	return component{name: "kubelet", args: []string{
		"--kubeconfig=" + componentKubeconfig("kubelet"),
		"--config=" + inRunDir("kubelet.yaml"),
		"--hostname-override=" + nodeName,
		"--node-ip=" + nodeIP,
	}}
}

// The limits of the connection table are the machine's: 0 leaves them alone.
func proxy() component {
	return component{name: "kube-proxy", args: []string{
		"--kubeconfig=" + componentKubeconfig("proxy"),
		"--hostname-override=" + nodeName,
		"--proxy-mode=iptables",
		"--cluster-cidr=" + podNetwork,
		"--conntrack-max-per-core=0",
		"--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0s",
		"--conntrack-tcp-timeout-close-wait=0s",
	}}
}

func dns() component { return component{name: runDNS, self: true} }
