package main

import "path/filepath"

// The one place of the one cluster on this machine. The files in config name it too.
const (
	clusterName = "reims-health-cluster"
	runDir      = "/run/" + clusterName
	nodeName    = "node"

	clusterDomain = "cluster.local"
)

// The addresses of the network that the cluster has for itself. The files in config
// name them too.
const (
	nodeIP          = "10.245.0.2"
	nodeLoopbackIP  = "10.245.0.3" // seen from a Pod: 127.0.0.1 of the node
	podNetwork      = "10.244.0.0/24"
	serviceNetwork  = "10.96.0.0/16"
	kubernetesIP    = "10.96.0.1" // the Service "kubernetes": the first of its network
	apiServer       = "https://" + nodeIP + ":6443"
	etcdURL         = "http://127.0.0.1:2379"
	etcdPeerURL     = "http://127.0.0.1:2380"
	containerSocket = runDir + "/containerd.sock"
)

func inRunDir(path ...string) string {
	return filepath.Join(append([]string{runDir}, path...)...)
}

func kubeconfig() string       { return inRunDir("kubeconfig") }
func logFile(of string) string { return inRunDir("log", of+".log") }
func auditLog() string         { return logFile("audit") }
