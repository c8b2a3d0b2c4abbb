package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed config
var configFiles embed.FS

// writeFiles makes all that the node reads: folders, configuration, keys.
func writeFiles() error {
	for _, dir := range []string{"log", "pki", "cni", "tmpfs"} {
		if err := os.MkdirAll(inRunDir(dir), 0o700); err != nil {
			return err
		}
	}
	if err := errors.Join(writeConfig(), writeKeys()); err != nil {
		return fmt.Errorf("write the node's files in %s: %w", runDir, err)
	}
	return nil
}

func writeConfig() error {
	for file, folder := range map[string]string{
		"containerd.toml": "", "kubelet.yaml": "", "audit.yaml": "", "resolv.conf": "", "pods.conflist": "cni",
	} {
		content, err := configFiles.ReadFile("config/" + file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(inRunDir(folder, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeKeys() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	_, serviceAccountKey, err := newKey()
	if err != nil {
		return err
	}
	if err := errors.Join(ca.write("ca"), os.WriteFile(serviceAccountKeyFile(), serviceAccountKey, 0o600)); err != nil {
		return err
	}
	for _, i := range identities() {
		p, err := ca.issue(i)
		if err != nil {
			return err
		}
		if err := errors.Join(p.write(i.name), writeKubeconfig(componentKubeconfig(i.name), ca.cert, p)); err != nil {
			return err
		}
	}
	return os.Link(componentKubeconfig("admin"), kubeconfig())
}

func serviceAccountKeyFile() string          { return inRunDir("pki", "service-account.key") }
func componentKubeconfig(name string) string { return inRunDir("pki", name+".kubeconfig") }

// removeFiles removes all of the run folder except the logs.
func removeFiles() error {
	entries, err := os.ReadDir(runDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != "log" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(runDir, e.Name())))
		}
	}
	return err
}
