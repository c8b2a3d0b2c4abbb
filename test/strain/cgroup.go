package strain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// limits are those of a container. Zero values are no limits.
type limits struct {
	request int // of processor time, in thousandths of a processor
	limit   int // likewise; below 10 the period is longer than 100 ms, since the kernel wants a quota of 1 ms
	memory  int64
}

// ownShare is a request that outdoes all others on the machine.
const ownShare = 256_000

// cgroup is a control group, in version 1 with a folder for each of its two controllers, in version 2 with one.
type cgroup struct {
	cpu, memory string
	version2    bool
	before      map[string]string // where this process was, by folder
}

const cgroupRoot = "/sys/fs/cgroup"

// newCgroup makes a group. It needs root, the controllers cpu and memory, and in version 2 a root group that may pass
// them on, which a container without privileges has not.
func newCgroup(name string, l limits) (*cgroup, error) {
	return newCgroupIn(fmt.Sprintf("reims-strain-%d-%s", os.Getpid(), name), l)
}

// below makes a group in this one, which then may have no processes of its own.
func (g *cgroup) below(name string, l limits) (*cgroup, error) {
	if g.version2 {
		if err := write(filepath.Join(g.cpu, "cgroup.subtree_control"), "+cpu +memory"); err != nil {
			return nil, err
		}
	}
	return newCgroupIn(filepath.Join(filepath.Base(g.cpu), name), l)
}

func newCgroupIn(name string, l limits) (*cgroup, error) {
	g := &cgroup{before: map[string]string{}}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		g.version2 = true
		if err := write(filepath.Join(cgroupRoot, "cgroup.subtree_control"), "+cpu +memory"); err != nil {
			return nil, fmt.Errorf("pass the controllers cpu and memory to new cgroups (it takes root, and no container around): %w", err)
		}
		g.cpu = filepath.Join(cgroupRoot, name)
		g.memory = g.cpu
	} else {
		g.cpu, g.memory = filepath.Join(cgroupRoot, "cpu", name), filepath.Join(cgroupRoot, "memory", name)
	}
	for _, dir := range g.folders() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("make a cgroup (it takes root, and the controllers cpu and memory): %w", err), g.remove())
		}
	}
	if err := g.set(l); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

func (g *cgroup) folders() []string {
	if g.version2 {
		return []string{g.cpu}
	}
	return []string{g.cpu, g.memory}
}

// set writes the limits as the kubelet does.
func (g *cgroup) set(l limits) error {
	shares := max(2, min(l.request*1024/1000, 262144))
	period := 100 * time.Millisecond
	if l.limit > 0 && l.limit < 10 {
		period = time.Second / time.Duration(l.limit)
	}
	quota := period * time.Duration(l.limit) / 1000
	files := map[string]string{}
	if g.version2 {
		if l.request > 0 {
			files["cpu.weight"] = strconv.Itoa(1 + (shares-2)*9999/262142)
		}
		if l.limit > 0 {
			files["cpu.max"] = fmt.Sprintf("%d %d", quota.Microseconds(), period.Microseconds())
		}
		if l.memory > 0 {
			files["memory.max"] = strconv.FormatInt(l.memory, 10)
		}
	} else {
		if l.request > 0 {
			files["cpu.shares"] = strconv.Itoa(shares)
		}
		if l.limit > 0 {
			if err := write(filepath.Join(g.cpu, "cpu.cfs_period_us"), strconv.FormatInt(period.Microseconds(), 10)); err != nil {
				return err
			}
			files["cpu.cfs_quota_us"] = strconv.FormatInt(quota.Microseconds(), 10)
		}
		if l.memory > 0 {
			files["memory.limit_in_bytes"] = strconv.FormatInt(l.memory, 10)
		}
	}
	for file, text := range files {
		dir := g.cpu
		if strings.HasPrefix(file, "memory") {
			dir = g.memory
		}
		if err := write(filepath.Join(dir, file), text); err != nil {
			return err
		}
	}
	return nil
}

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// inside is a command that becomes the one that follows it, in the group.
func (g *cgroup) inside() []string {
	var script strings.Builder
	for _, dir := range g.folders() {
		fmt.Fprintf(&script, "echo $$ > %s/cgroup.procs && ", dir)
	}
	return []string{"/bin/sh", "-c", script.String() + `exec "$0" "$@"`}
}

// enter moves this process into the group's share of the processors; what it starts follows. Leave moves it back.
func (g *cgroup) enter() error {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) { // such as 1:cpu:/path, or 0::/path in version 2
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (g.version2 && fields[1] == "" || fields[1] == "cpu") {
			root := cgroupRoot
			if !g.version2 {
				root = filepath.Join(root, "cpu")
			}
			g.before[g.cpu] = filepath.Join(root, fields[2])
		}
	}
	return write(filepath.Join(g.cpu, "cgroup.procs"), strconv.Itoa(os.Getpid()))
}

func (g *cgroup) leave() error {
	if before := g.before[g.cpu]; before != "" {
		return write(filepath.Join(before, "cgroup.procs"), strconv.Itoa(os.Getpid()))
	}
	return nil
}

// remove removes the group, which has to be empty.
func (g *cgroup) remove() (err error) {
	for _, dir := range g.folders() {
		if e := os.Remove(dir); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// usage is what the kernel counted.
type usage struct {
	periods, throttled int64 // of the quota
	peak, kills        int64 // of memory: the most bytes, its page cache among them, and how often the kernel killed
}

func (g *cgroup) usage() (u usage) {
	u.periods, u.throttled = g.value(g.cpu, "cpu.stat", "nr_periods"), g.value(g.cpu, "cpu.stat", "nr_throttled")
	if g.version2 {
		u.peak, u.kills = g.value(g.memory, "memory.peak", ""), g.value(g.memory, "memory.events", "oom_kill")
	} else {
		u.peak, u.kills = g.value(g.memory, "memory.max_usage_in_bytes", ""), g.value(g.memory, "memory.oom_control", "oom_kill")
	}
	return u
}

// value returns the number after the key in a file of lines with a key and a number, or of a number alone; -1 where
// there is none.
func (g *cgroup) value(dir, file, key string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, file))
	for line := range strings.Lines(string(text)) {
		number := strings.TrimSpace(line)
		if key != "" {
			var found bool
			if number, found = strings.CutPrefix(number, key+" "); !found {
				continue
			}
		}
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			return n
		}
	}
	return -1
}
