package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/program"
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

// memory returns the resident memory of a process in bytes, and the part of it that is not backed by files.
func memory(pid int) (resident, own float64, err error) {
	resident, err1 := program.Status(pid, "VmRSS")
	own, err2 := program.Status(pid, "RssAnon")
	return resident, own, errors.Join(err1, err2)
}
