// Command cluster runs a real one-node Kubernetes for the end-to-end tests: etcd,
// the API server, scheduler, controller manager, kube-proxy, kubelet and containerd
// as processes in namespaces and a cgroup of their own, all listening only there.
//
//	cluster up [--owner=PID] start it; returns when Pods can be made
//	cluster down             end it, and all that it left, after a crash too
//	cluster exec -- CMD …    run a program in the node's network, kubectl in its PATH
//	cluster import FILE…     load archives of images into the node
//	cluster build            only install and build what the node needs
//
// A cluster with an owner is ended by the next up, once that process has ended: a test
// that was killed does not stand in the way of the next one.
//
// One machine holds one cluster, in /run/reims-health-cluster, whose file kubeconfig is
// root's on the cluster. The network has no way in or out: run what talks to the
// cluster through exec. In it the node is 10.245.0.2; a Pod reaches what listens on
// the node's loopback, port by port, at 10.245.0.3. The cluster's DNS server answers
// for the names of Services and for nothing else. There is no storage class and no
// registry: images are imported, and imagePullPolicy says Never.
//
// Everything that the node writes, images and etcd's data too, is in memory and ends
// with it, except its logs, among which is what Pods wrote to the API server. It needs
// root and Linux, with either version of cgroups; build needs root, or sudo, only where
// Debian's packages are missing.
package main
