package cli

import (
	"os"
	"syscall"
)

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
