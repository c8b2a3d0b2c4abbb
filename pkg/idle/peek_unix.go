//go:build unix

package idle

import "syscall"

const supported = true

// readable reports whether a read from the socket would return at once: with data, at the
// end of the stream, or with an error. It consumes nothing.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EINTR
}
