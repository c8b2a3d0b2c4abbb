package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// process is one that runs or has run; the zero one is nobody.
type process struct {
	PID int `json:"pid"`
	// Start is when it started, in the kernel's ticks since boot: a later process may
	// get the same PID.
	Start string `json:"start"`
}

// findProcess fails when none of that PID runs.
func findProcess(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, fmt.Errorf("find process %d: %w", pid, err)
	}
	// The second field is a name in parentheses, which may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, start = 0, 22 - 3 // counted from the third
	if len(fields) <= start {
		return process{}, fmt.Errorf("find process %d: %q is not what the kernel writes", pid, stat)
	}
	if fields[state] == "Z" { // its parent does not care
		return process{}, fmt.Errorf("find process %d: it has ended", pid)
	}
	return process{pid, fields[start]}, nil
}

// ended tells whether it was there and is no longer.
func (p process) ended() bool {
	now, err := findProcess(p.PID)
	return p.PID != 0 && (err != nil || now != p)
}
