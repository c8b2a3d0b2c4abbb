package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// dataDir is where the node keeps its data: in memory, for itself.
const dataDir = "/run/data"

// sysctls are for the whole machine, and the kubelet writes them. It gets files that
// say what it wants to see.
var sysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// mounts gives the node its own view of the files: nothing that it mounts or writes
// is seen outside, the run folder excepted.
func mounts() error {
	group, err := newCgroup()
	if err != nil {
		return err
	}
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return err
	}
	for _, step := range []func() error{group.remount, mountRun, mountState, hideSysctls} {
		if err := step(); err != nil {
			return err
		}
	}
	return syscall.Sethostname([]byte(nodeName))
}

// remount mounts the hierarchies again, which then begin at the node's own group.
func (c cgroup) remount() error {
	const root = "/sys/fs/cgroup"
	if err := syscall.Unmount(root, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", root, err)
	}
	if c.trees[0].kind == "cgroup2" {
		return remountV2(root)
	}
	if err := mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, h := range c.trees {
		if err := mountMaking(h.point, "cgroup", h.kind, 0, h.options); err != nil {
			return err
		}
	}
	return nil
}

// remountV2 also moves this process, the only one yet, to a leaf: a group with
// processes in it can't hand its controllers on to the groups below.
func remountV2(root string) error {
	if err := mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
		return err
	}
	leaf := filepath.Join(root, "node")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	has, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	names := strings.Fields(string(has))
	for _, needed := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(names, needed) {
			return fmt.Errorf("the kubelet needs the cgroup controller %s, and the machine hands on only %q: see cgroup.subtree_control there", needed, names)
		}
	}
	for i := range names {
		names[i] = "+" + names[i]
	}
	return os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte(strings.Join(names, " ")), 0)
}

// mountRun gives the node a /run of its own, in which only the run folder is the
// machine's. containerd's shims have their sockets there, wherever its state is.
func mountRun() error {
	own := inRunDir("tmpfs")
	if err := mount("tmpfs", own, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := mountMaking(own+runDir[len("/run"):], runDir, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if err := os.MkdirAll(own+"/lock", 0o755); err != nil {
		return err
	}
	return mount(own, "/run", "", syscall.MS_BIND|syscall.MS_REC, "")
}

// mountState lays the node's own files over /var/lib, and replaces /var/log.
func mountState() error {
	upper, work := filepath.Join(dataDir, "lib"), filepath.Join(dataDir, "lib.work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mount("overlay", "/var/lib", "overlay", 0, "lowerdir=/var/lib,upperdir="+upper+",workdir="+work); err != nil {
		return err
	}
	if err := mountMaking("/var/log", "tmpfs", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	// What the kubelet mounts for a Pod must be seen by the containers' mounts.
	const kubelet = "/var/lib/kubelet"
	if err := mountMaking(kubelet, "tmpfs", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	return mount("", kubelet, "", syscall.MS_REC|syscall.MS_SHARED, "")
}

func hideSysctls() error {
	for name, value := range sysctls {
		file := filepath.Join(dataDir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := mount(file, "/proc/sys/"+name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

func mountMaking(target, source, kind string, flags uintptr, options string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	return mount(source, target, kind, flags, options)
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s (%s %s): %w", source, target, kind, options, err)
	}
	return nil
}
