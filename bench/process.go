package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks is how many clock ticks the kernel's files count per second.
const ticks = 100

// spent returns the processor time that a process has used, with its threads and children: to the
// nanosecond of those that are there, to a hundredth of a second of children that have ended.
func spent(pid int) (time.Duration, error) {
	total, err := ended(pid)
	if err != nil {
		return 0, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return 0, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(filepath.Join(thread, "schedstat"))
		if err != nil {
			continue // it has ended
		}
		running, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(nanoseconds)
		children, err := os.ReadFile(filepath.Join(thread, "children"))
		if err != nil {
			continue
		}
		for child := range strings.FieldsSeq(string(children)) {
			number, err := strconv.Atoi(child)
			if err != nil {
				return 0, err
			}
			used, err := spent(number)
			if err == nil { // else it has ended, and is counted next time
				total += used
			}
		}
	}
	return total, nil
}

// ended returns the processor time of children that have ended.
func ended(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name may hold blanks
	fields := strings.Fields(after)
	const cutime, cstime = 13, 14 // fields 16 and 17 of proc(5), of which two were cut off
	if len(fields) <= cstime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var sum int64
	for _, field := range []string{fields[cutime], fields[cstime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

// spentHere returns the processor time that this process has used.
func spentHere() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// memory returns what of a process is resident, in bytes: all, and what of it is its own and not
// pages of files.
func memory(pid int) (resident, own float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for name, to := range map[string]*float64{"VmRSS:": &resident, "RssAnon:": &own} {
		_, after, _ := strings.Cut(string(text), name)
		if _, err := fmt.Sscan(after, to); err != nil {
			return 0, 0, fmt.Errorf("%s of process %d: %w", name, pid, err)
		}
		*to *= 1024
	}
	return resident, own, nil
}
