package servers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// BlackHole makes address one that answers no connection, as a machine that is gone
// does, until the test ends: a socket listens there whose queue is full.
func BlackHole(tb testing.TB, address string) {
	tb.Helper()
	fd, err := listenWithoutQueue(netip.MustParseAddrPort(address))
	if err != nil {
		tb.Fatalf("listen on %s: %v", address, err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	for range 10 {
		conn, err := dialBriefly(tb.Context(), address)
		if err != nil {
			if !os.IsTimeout(err) {
				tb.Fatalf("fill the queue of %s: %v", address, err)
			}
			return
		}
		tb.Cleanup(func() { _ = conn.Close() })
	}
	tb.Fatalf("%s still takes connections", address)
}

func dialBriefly(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// listenWithoutQueue listens as net.Listen cannot: with room for one connection.
func listenWithoutQueue(address netip.AddrPort) (int, error) {
	family := syscall.AF_INET
	var to syscall.Sockaddr
	if address.Addr().Is4() {
		to = &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	} else {
		family = syscall.AF_INET6
		to = &syscall.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, to)
	}
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("set up the socket: %w", err)
	}
	return fd, nil
}
