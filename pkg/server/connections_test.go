package server_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/poll"
)

// TestConnectionLimit fills the server with requests under way: another client waits
// for one to end. After the crowd, connections are kept alive again.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 257), make(chan struct{})
	s, err := server.Listen(t.Context(), anyPort, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}), quiet)
	r := start(t, s, err)
	ask := func() net.Conn {
		c := r.dial(t)
		if _, err := io.WriteString(c, aRequest); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var held []net.Conn
	for range 256 {
		held = append(held, ask())
		<-entered
	}
	further := ask()
	_ = further.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := further.Read(make([]byte, 1)); n > 0 || !isTimeout(err) || len(entered) > 0 {
		t.Fatalf("connection 257 does not wait: %d, %v", n, err)
	}
	leave <- struct{}{}
	<-entered // connection 257
	close(leave)
	for i, c := range append(held, further) {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if code := answerTo(t, c, http.MethodGet); code != http.StatusOK {
			t.Errorf("connection %d: code %d", i+1, code)
		}
	}
	poll.Until(t, "connections are kept alive again", func() bool {
		c := r.dial(t)
		return say(t, c, aRequest) == http.StatusOK && again(c)
	})
}

// again reports whether a connection that has had an answer gives another one.
func again(c net.Conn) bool {
	_, _ = io.WriteString(c, aRequest)
	n, _ := c.Read(make([]byte, 1))
	return n == 1
}

// TestIdleGiveWay has as many clients as may connect, who stay after their answer:
// that keeps nobody else waiting, nor are the connections of a few closed.
func TestIdleGiveWay(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), anyPort, healthy(), quiet)
	r := start(t, s, err)
	early := r.dial(t)
	say(t, early, aRequest)
	for i := range 2 * 256 {
		c := r.dial(t)
		if code := say(t, c, aRequest); code != http.StatusOK {
			t.Fatalf("client %d: code %d", i+1, code)
		}
		if i == 100 && !again(early) {
			t.Error("one of a hundred connections was closed")
		}
	}
}
