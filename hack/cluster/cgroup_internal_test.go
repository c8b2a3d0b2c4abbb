package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHierarchies(t *testing.T) {
	t.Parallel()
	const (
		other    = "24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
		memory   = "37 31 0:34 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
		mounted2 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,xattr,cpu,cpuacct\n"
		named    = "33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/usr/lib/agent,name=systemd\n"
		unified  = "34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
		v2       = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	)
	for name, c := range map[string]struct {
		mountinfo string
		want      []hierarchy
	}{
		"version 1": {other + memory + mounted2 + named, []hierarchy{
			{"/sys/fs/cgroup/memory", "cgroup", "memory"},
			{"/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"},
			{"/sys/fs/cgroup/systemd", "cgroup", "none,name=systemd"},
		}},
		"version 2":                           {other + v2, []hierarchy{{point: "/sys/fs/cgroup", kind: "cgroup2"}}},
		"version 1 has the controllers":       {unified + memory, []hierarchy{{"/sys/fs/cgroup/memory", "cgroup", "memory"}}},
		"lines of another form are no matter": {"\n1 2 3\n" + v2, []hierarchy{{point: "/sys/fs/cgroup", kind: "cgroup2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := hierarchies(strings.NewReader(c.mountinfo))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := hierarchies(strings.NewReader(other)); err == nil {
		t.Error("a machine with no cgroups is taken for one with")
	}
}

// All that a member starts is found and ended, whatever it does to get away, and
// groups made below go too. As anybody but root, nothing is left behind either.
func TestSweep(t *testing.T) {
	t.Parallel()
	group, err := newCgroup()
	if err != nil {
		t.Fatal(err)
	}
	group.name = fmt.Sprintf("%s-test-%d", clusterName, os.Getpid())
	cmd := exec.Command("sh", "-c", "read go; setsid sleep 1000 & exec sleep 1000")
	gate, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	added := group.add(cmd.Process.Pid)
	if os.Geteuid() != 0 {
		if added == nil {
			t.Error("anybody can make the group")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	} else if added != nil {
		t.Error(added)
	}
	_, _ = gate.Write([]byte("\n"))
	for _, dir := range group.dirs()[:1] {
		if err := os.MkdirAll(dir+"/below/further", 0o755); err != nil && os.Geteuid() == 0 {
			t.Error(err)
		}
	}
	found, err := group.sweep()
	if err != nil || found != (os.Geteuid() == 0) {
		t.Errorf("sweep: %t, %v", found, err)
	}
	_ = cmd.Wait() // killed
	if left := slices.DeleteFunc(group.dirs(), func(dir string) bool { return !exists(dir) }); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if again, err := group.sweep(); again || err != nil {
		t.Errorf("a second sweep found something: %v", err)
	}
}
