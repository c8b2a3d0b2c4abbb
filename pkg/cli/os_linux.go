package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// settled is how long after its start serve does no more than it does at rest: it has connected to
// every service, and the first verdicts are there.
const settled = 30 * time.Second

// releaseStart gives back, once, the memory that only the start needed, which is a third of what is
// resident: garbage, and pages of the program's file that are not used any more. What is used again is
// read again, from the kernel's cache of the file.
func releaseStart(ctx context.Context) error {
	pause(ctx, settled)
	if ctx.Err() == nil {
		debug.FreeOSMemory()
		_ = releaseProgram() // it is an optimization
	}
	return nil
}

// releaseProgram drops the pages of the program's file that are mapped and that nothing has written to: its
// code and its constants.
func releaseProgram() error {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	mappings, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	var errs []error
	var start, end uintptr
	var constant bool // what is mapped there is the program's file, and cannot be written to
	for line := range strings.Lines(string(mappings)) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") { // 00400000-0182d000 r-xp 00000000 fe:00 10428566 /reims-health
			constant = len(fields) == 6 && fields[5] == path && (fields[1] == "r-xp" || fields[1] == "r--p")
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &start, &end); err != nil {
				return err
			}
			continue
		}
		// Pages that were written to, by a linker or a debugger, would be lost.
		if !constant || fields[0] != "Anonymous:" || fields[1] != "0" {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, start, end-start, syscall.MADV_DONTNEED); errno != 0 {
			errs = append(errs, errno)
		}
	}
	return errors.Join(errs...)
}

// StandardError returns where the program writes its errors and its log. Where that is a
// pipe, descriptor 2 is left to Go's runtime alone, which reports crashes there: it gets a
// description of the pipe that does not block. Otherwise a crash, or SIGQUIT, with a pipe
// that is full would hang for ever instead of ending the process.
func StandardError() *os.File {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Stderr
	}
	// A description of its own, since whether it blocks is a property of that, and others
	// may share the one that we were given. Where it cannot be had, all stays as it was.
	crash, err := syscall.Open("/proc/self/fd/2", syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return os.Stderr
	}
	defer syscall.Close(crash)
	given, err := syscall.Dup(2)
	if err != nil {
		return os.Stderr
	}
	if err := syscall.Dup3(crash, 2, 0); err != nil {
		_ = syscall.Close(given)
		return os.Stderr
	}
	syscall.CloseOnExec(given)
	return os.NewFile(uintptr(given), os.Stderr.Name())
}
