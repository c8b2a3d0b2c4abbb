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
		"kubelet.yaml":    {"unix://" + containerSocket, inRunDir("pki", "ca.crt"), inRunDir("resolv.conf")},
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

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"sideways"}, {"up", "here"}, {"exec"}, {"exec", "--"}, {"import"}} {
		if err := run(context.Background(), args, new(bytes.Buffer)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
}
