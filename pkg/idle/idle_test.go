package idle_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/idle"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
)

// pair returns both ends of a connection.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l := checking.Listen(t)
	ours, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	theirs, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

func told(w *idle.Watch) bool {
	select {
	case <-w.Lost():
		return true
	default:
		return false
	}
}

func TestWatchTells(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(theirs net.Conn) error{
		"closed":    net.Conn.Close,
		"half":      func(c net.Conn) error { return c.(*net.TCPConn).CloseWrite() },
		"reset":     func(c net.Conn) error { _ = c.(*net.TCPConn).SetLinger(0); return c.Close() },
		"with data": func(c net.Conn) error { _, err := c.Write([]byte("FATAL")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, early := range []bool{false, true} {
				ours, theirs := pair(t)
				w := idle.NewWatch()
				if !early {
					w.Add(ours)
				}
				if err := act(theirs); err != nil {
					t.Fatal(err)
				}
				if early { // while something used it
					w.Add(ours)
				}
				poll.Until(t, "it tells", func() bool { return told(w) })
				w.Stop()
			}
		})
	}
}

// A connection that was watched is used as if it had not been, and nothing of it is lost.
func TestWatchConsumesNothing(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	w := idle.NewWatch()
	for range 50 {
		w.Add(ours)
		if _, err := theirs.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		w.Stop()
		got := make([]byte, len("hello"))
		if _, err := io.ReadFull(ours, got); err != nil || string(got) != "hello" {
			t.Fatalf("read %q, %v", got, err)
		}
	}
	if told(w) {
		t.Error("Stop has left something to tell")
	}
}

// What we close ourselves is no loss, and what cannot be watched is left alone.
func TestWatchStaysSilent(t *testing.T) {
	t.Parallel()
	w := idle.NewWatch()
	ours, _ := pair(t)
	w.Add(ours)
	_ = ours.Close()
	piped, other := net.Pipe()
	w.Add(piped)
	w.Add(nil)
	_ = other.Close()
	w.Stop() // waits for both to have ended
	w.Add(ours)
	w.Stop()
	if told(w) {
		t.Error("it tells")
	}
	var none *idle.Watch
	none.Add(piped)
	none.Stop()
	if none.Lost() != nil {
		t.Error("a nil Watch has a channel")
	}
}

// A deadline that a driver left behind does not end the watching.
func TestWatchOutlastsADeadline(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	_ = ours.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	w := idle.NewWatch()
	w.Add(ours)
	<-time.After(50 * time.Millisecond)
	_ = theirs.Close()
	poll.Until(t, "it tells", func() bool { return told(w) })
	w.Stop()
}

// A deadline that Stop left would end the next read.
func TestStopLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	w := idle.NewWatch()
	w.Add(ours)
	w.Stop()
	read := make(chan error, 1)
	go func() { _, err := ours.Read(make([]byte, 1)); read <- err }()
	select {
	case err := <-read:
		t.Fatalf("the read ended before anything was sent: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}
