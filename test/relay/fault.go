package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Fault is what is wrong with the wire. Set one field, or CutAfter and Reset. The zero value
// is no fault.
type Fault struct {
	// Refuse lets nothing listen. Open connections are cut.
	Refuse bool
	// Full leaves no room in the queue of connections that wait to be accepted: new ones get
	// no answer. Open connections are cut.
	Full bool
	// Drop makes the kernel discard each packet that comes from a client, on open connections
	// and new ones, as a network does that has lost the way. Nothing is answered.
	Drop bool
	// Forget does the same to the open connections only. New ones are served.
	Forget bool
	// CutAfter ends a connection once it has carried so many bytes of answers.
	CutAfter int
	// Reset ends it with a reset, and not in order.
	Reset bool
	// Garbage takes the place of each piece of an answer.
	Garbage []byte
	// Trickle lets a byte of an answer pass each time. A piece that has begun keeps to that
	// when the fault is mended.
	Trickle time.Duration
}

// Break begins a fault, on open connections too. The one before has to be mended.
func (r *Relay) Break(f Fault) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
	r.begun++
	switch {
	case f.Refuse:
		err := r.listener.Close()
		r.listener = nil
		r.cut()
		return err
	case f.Full:
		r.cut()
		return r.fill()
	case f.Drop:
		return errors.Join(discard(r.listener, true), r.discardOpen(true))
	case f.Forget:
		err := r.discardOpen(true)
		for conn := range r.open {
			r.lost = append(r.lost, conn)
		}
		return err
	}
	return nil
}

// Mend ends the fault.
func (r *Relay) Mend() error {
	r.mu.Lock()
	f := r.fault
	r.fault = Fault{}
	r.end()
	r.mu.Unlock()
	switch {
	case f.Refuse:
		return r.listen()
	case f.Full:
		return control(r.listener, func(fd int) error { return syscall.Listen(fd, syscall.SOMAXCONN) })
	case f.Drop:
		r.mu.Lock()
		defer r.mu.Unlock()
		return errors.Join(discard(r.listener, false), r.discardOpen(false))
	}
	return nil
}

// end closes what a fault has left open, and lets connections be accepted. The caller holds mu.
func (r *Relay) end() {
	for _, conn := range r.lost {
		_ = conn.Close()
	}
	r.lost = nil
	if r.shut != nil {
		close(r.shut)
		r.shut = nil
	}
}

// cut closes the open connections. The caller holds mu.
func (r *Relay) cut() {
	for conn := range r.open {
		_ = conn.Close()
	}
	clear(r.open)
}

// fill makes the queue of the listener as short as it can be and fills it: one connection is
// accepted and left alone, and one waits. The caller holds mu.
func (r *Relay) fill() error {
	r.shut = make(chan struct{})
	if err := control(r.listener, func(fd int) error { return syscall.Listen(fd, 0) }); err != nil {
		return err
	}
	for range 3 {
		conn, err := net.DialTimeout("tcp", r.port.addr, time.Second/4)
		if wait := net.Error(nil); errors.As(err, &wait) && wait.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
		r.lost = append(r.lost, conn)
	}
	return nil
}

// discardOpen says whether packets on the open connections are discarded. The caller holds mu.
func (r *Relay) discardOpen(on bool) (err error) {
	for conn := range r.open {
		if c, ok := conn.(*net.TCPConn); ok && c.LocalAddr().String() == r.port.addr {
			err = errors.Join(err, discard(c, on))
		}
	}
	return err
}

// discard makes the kernel discard all that comes to a socket, or not.
func discard(socket syscall.Conn, on bool) error {
	err := control(socket, func(fd int) error {
		if !on {
			return syscall.DetachLsf(fd) //nolint:staticcheck // enough for one instruction
		}
		accept0 := syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0) //nolint:staticcheck // as above
		return syscall.AttachLsf(fd, []syscall.SockFilter{*accept0}) //nolint:staticcheck // as above
	})
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOENT) { // ended meanwhile, or has no filter
		return nil
	}
	return err
}

func control(socket syscall.Conn, do func(fd int) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}

// damage is what a fault has done to one connection.
type damage struct {
	begun   int // the fault that it is of
	carried int // bytes of answers since that began
}

// answer passes a piece of an answer on, as the fault leaves it. It reports whether the
// connection goes on.
func (r *Relay) answer(to net.Conn, piece []byte, d *damage) bool {
	r.mu.Lock()
	f := r.fault
	if d.begun != r.begun {
		*d = damage{begun: r.begun}
	}
	r.mu.Unlock()
	cut := f.CutAfter > 0 && d.carried+len(piece) >= f.CutAfter
	switch {
	case f.Drop:
		return true
	case f.Garbage != nil:
		piece = f.Garbage
	case cut:
		piece = piece[:max(0, f.CutAfter-d.carried)]
	case f.Trickle > 0:
		return r.trickle(to, piece, f.Trickle)
	}
	d.carried += len(piece)
	if _, err := to.Write(piece); err != nil {
		return false
	}
	if c, ok := to.(*net.TCPConn); ok && cut && f.Reset {
		_ = c.SetLinger(0)
	}
	return !cut
}

func (r *Relay) trickle(to net.Conn, piece []byte, each time.Duration) bool {
	for i := range piece {
		r.pause(each)
		if _, err := to.Write(piece[i : i+1]); err != nil {
			return false
		}
	}
	return true
}

// port is one of loopback that stays ours while nothing listens on it: a socket that does not
// listen has it too.
type port struct {
	addr   string
	socket int
}

// reusePort is SO_REUSEPORT, which the package syscall does not name.
const reusePort = 0xf

func takePort() (*port, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p := &port{socket: fd}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, reusePort, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		p.give()
		return nil, err
	}
	name, err := syscall.Getsockname(fd)
	in, ok := name.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		p.give()
		return nil, fmt.Errorf("find out the port: %w", err)
	}
	p.addr = netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)).String()
	return p, nil
}

func (p *port) give() { _ = syscall.Close(p.socket) }

// listen listens on the relay's port. Multipath TCP is off, because its sockets take no filter.
func (r *Relay) listen() error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1)
		})
		return errors.Join(err, failed)
	}}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", r.port.addr)
	if err != nil {
		return err
	}
	accepting, ok := listener.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("listen on %s: a %T", r.port.addr, listener)
	}
	r.mu.Lock()
	r.listener = accepting
	r.mu.Unlock()
	r.group.Go(func() { r.accept(accepting) })
	return nil
}
