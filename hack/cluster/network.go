package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
)

// network sets up the node's network: an address for it, one for what listens on its
// loopback, and a route to nowhere, because programs look for a default route.
func network() error {
	batch, err := configFiles.ReadFile("config/network.batch")
	if err != nil {
		return err
	}
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = bytes.NewReader(batch)
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w: %s", err, out)
	}
	// Both belong to the network namespace.
	for _, sysctl := range []string{"ip_forward", "conf/all/route_localnet"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+sysctl, []byte("1"), 0); err != nil {
			return err
		}
	}
	loopback := exec.Command("iptables", "--table", "nat", "--append", "PREROUTING",
		"--destination", nodeLoopbackIP, "--jump", "DNAT", "--to-destination", "127.0.0.1")
	if out, err := loopback.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, out)
	}
	return nil
}
