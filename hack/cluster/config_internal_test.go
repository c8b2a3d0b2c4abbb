package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// The files of the configuration are not templates: what they repeat must agree.
func TestConfigAgreesWithTheCode(t *testing.T) {
	t.Parallel()
	for file, repeated := range map[string][]string{
		"containerd.toml": {`address = "` + containerSocket + `"`, `sandbox_image = "` + pauseImage + `"`, `root = "` + dataDir + "/", `"` + inRunDir("cni") + `"`},
		"kubelet.yaml":    {"unix://" + containerSocket, inRunDir("pki", "ca.crt"), inRunDir("resolv.conf"), "clusterDNS: [" + nodeIP + "]", "clusterDomain: " + clusterDomain + "\n"},
		"network.batch":   {"addr add " + nodeIP + "/24", "addr add " + nodeLoopbackIP + "/32"},
		"pods.conflist":   {`"subnet": "` + podNetwork + `"`},
	} {
		content, err := configFiles.ReadFile("config/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range repeated {
			if !strings.Contains(string(content), text) {
				t.Errorf("%s does not say %s", file, text)
			}
		}
	}
}

func TestSplitServiceName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"api.shop.svc.cluster.local.":      "shop/api",
		"API.Shop.svc.Cluster.Local.":      "shop/api",
		"api.shop.svc.cluster.local":       "",
		"api.svc.cluster.local.":           "",
		".shop.svc.cluster.local.":         "",
		"pod.api.shop.svc.cluster.local.":  "",
		"_http._tcp.api.svc.example.com.":  "",
		"svc.cluster.local.":               "",
		"api.shop.svc.cluster.local.test.": "",
	} {
		namespace, service, ok := splitServiceName(name)
		if got := strings.TrimSuffix(namespace+"/"+service, "/"); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t, want %q", name, got, ok, want)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"sideways"}, {"up", "here"}, {"exec"}, {"exec", "--"}, {"import"}} {
		if err := run(context.Background(), args, new(bytes.Buffer)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
}
