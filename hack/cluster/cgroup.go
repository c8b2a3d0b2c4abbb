package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sweepTimeout bounds how long the kernel may take to end killed processes.
const sweepTimeout = 30 * time.Second

// hierarchy is a mounted tree of cgroups: one a controller in version 1, one for all
// in version 2.
type hierarchy struct {
	point   string // where it is mounted
	kind    string // cgroup or cgroup2
	options string // what mounts the same hierarchy once more
}

// hierarchies finds them in /proc/self/mountinfo. Where version 1 has controllers,
// version 2 is of no use.
func hierarchies(mountinfo io.Reader) ([]hierarchy, error) {
	var v1, v2 []hierarchy
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		mount, fields := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(fields) < 3 {
			continue
		}
		switch h := (hierarchy{point: mount[4], kind: fields[0]}); h.kind {
		case "cgroup":
			h.options = controllers(fields[2])
			v1 = append(v1, h)
		case "cgroup2":
			v2 = append(v2, h)
		}
	}
	if len(v1) > 0 {
		v2 = nil
	}
	all := slices.Concat(v1, v2)
	if len(all) == 0 && lines.Err() == nil {
		return nil, errors.New("find cgroups: none are mounted")
	}
	return all, lines.Err()
}

// controllers takes, of a mounted hierarchy's options, those that name it.
func controllers(options string) string {
	names := strings.Split(options, ",")
	names = slices.DeleteFunc(names, func(o string) bool {
		return slices.Contains([]string{"rw", "ro", "xattr", "noprefix", "clone_children"}, o) ||
			strings.Contains(o, "=") && !strings.HasPrefix(o, "name=")
	})
	if len(names) == 1 && strings.HasPrefix(names[0], "name=") {
		names = append([]string{"none"}, names...)
	}
	return strings.Join(names, ",")
}

// cgroup is the group of one name in each hierarchy. Whatever a member starts is a
// member, so it tells the cluster's processes from others with no list of PIDs.
type cgroup struct {
	trees []hierarchy
	name  string
}

// newCgroup returns the cluster's group, which need not be there.
func newCgroup() (cgroup, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return cgroup{}, err
	}
	defer f.Close()
	trees, err := hierarchies(f)
	return cgroup{trees, clusterName}, err
}

func (c cgroup) dirs() []string {
	var dirs []string
	for _, h := range c.trees {
		dirs = append(dirs, filepath.Join(h.point, c.name))
	}
	return dirs
}

// add makes the group, where it is not there yet, and the process a member of it.
func (c cgroup) add(pid int) error {
	for _, dir := range c.dirs() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// Version 1's cpuset takes nobody in before it has what its parent has.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(dir, file); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// inherit does nothing in version 2, where an empty value means the parent's.
func inherit(dir, file string) error {
	parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
	if errors.Is(err, fs.ErrNotExist) || len(strings.TrimSpace(string(parent))) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), parent, 0)
}

// members returns the PIDs of all living processes in the group and below it.
func (c cgroup) members() ([]int, error) {
	var pids []int
	for _, dir := range c.dirs() {
		groups, err := foldersIn(dir)
		if err != nil {
			return nil, err
		}
		for _, group := range groups {
			raw, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			if err != nil && !isGone(err) {
				return nil, err
			}
			for line := range strings.FieldsSeq(string(raw)) {
				if pid, err := strconv.Atoi(line); err == nil && pid > 0 { // 0 is of another PID namespace
					pids = append(pids, pid)
				}
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// foldersIn returns the folder and all below it, the outer before the inner; none
// when it is not there.
func foldersIn(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if isGone(err) {
				return nil // removed while we walk
			}
			return err
		}
		if d.IsDir() {
			found = append(found, path)
		}
		return nil
	})
	return found, err
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// sweep kills every member and removes the group. It tells whether there was one.
func (c cgroup) sweep() (found bool, err error) {
	found = slices.ContainsFunc(c.dirs(), exists)
	timeout := time.NewTimer(sweepTimeout)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := c.killOnce()
		if err == nil && len(left) == 0 {
			return found, nil
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			return found, errors.Join(fmt.Errorf("end the cgroup %s: still there after %s, with processes %v", c.name, sweepTimeout, left), err)
		}
	}
}

// killOnce kills the members that it sees or, when there are none, removes the group.
func (c cgroup) killOnce() (killed []int, err error) {
	pids, err := c.members()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone already
	}
	if len(pids) > 0 {
		return pids, nil
	}
	return nil, c.remove()
}

// remove removes the empty group, the groups below it first.
func (c cgroup) remove() error {
	var err error
	for _, dir := range c.dirs() {
		groups, walk := foldersIn(dir)
		err = errors.Join(err, walk)
		for _, group := range slices.Backward(groups) {
			if e := syscall.Rmdir(group); e != nil && !isGone(e) {
				err = errors.Join(err, fmt.Errorf("remove %s: %w", group, e))
			}
		}
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
