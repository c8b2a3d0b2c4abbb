package servers

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// procStat is what /proc/PID/stat says about a process.
type procStat struct {
	pid, parent int
	state       byte   // R, S, D, T (stopped), Z (ended, not waited for), …
	started     uint64 // clock ticks since boot: with pid, unique until the next boot
}

// stopped tells whether the process runs no code, for the moment or for good.
func (p procStat) stopped() bool { return p.state == 'T' || p.ended() }

func (p procStat) ended() bool { return p.state == 'Z' || p.state == 'X' }

// readStat returns an error when there is no such process.
func readStat(pid int) (procStat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	// The second field is the name in parentheses and may hold any character.
	_, after, ok := bytes.Cut(raw[bytes.LastIndexByte(raw, ')')+1:], []byte(" "))
	fields := bytes.Fields(after)
	if !ok || len(fields) < 20 {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %w", pid, err)
	}
	started, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %w", pid, err)
	}
	return procStat{pid: pid, parent: parent, state: fields[0][0], started: started}, nil
}

// tree returns the process and all its descendants, parents before children.
// The parent links are followed and not the process group, because the children
// of PostgreSQL leave their parent's group.
func tree(root procStat) []procStat {
	children := make(map[int][]procStat)
	for _, pid := range allPIDs() {
		if p, err := readStat(pid); err == nil {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	found := []procStat{root}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

func allPIDs() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
