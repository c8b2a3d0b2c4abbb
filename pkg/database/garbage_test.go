package database_test

import (
	"bytes"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/reims/reims-health/pkg/database"
)

// Not parallel: it counts what the whole process allocates. What such a server
// says looks like a message of 842 MB, which must not be made room for.
func TestMaxMessageBoundsMemory(t *testing.T) {
	const limit = 1 << 20
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() { floodAll(listener, bytes.Repeat([]byte("220 mail.example ESMTP\r\n"), 1<<10)) })
	db := open(t, database.Config{
		Host: "127.0.0.1", Port: uint16(listener.Addr().(*net.TCPAddr).Port),
		SSLMode: "disable", MinConns: -1, MaxMessage: limit,
	})

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = db.Health(t.Context())
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("garbage passed for PostgreSQL")
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > limit {
		t.Errorf("garbage had %d KiB allocated", allocated>>10)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	server.Wait()
}

// floodAll sends text to each client for as long as it takes it.
func floodAll(listener net.Listener, text []byte) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		for err == nil {
			_, err = conn.Write(text)
		}
		_ = conn.Close()
	}
}

// A message of an ordinary size passes, one that is longer breaks the connection.
func TestMaxMessage(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.MaxMessage = 64 << 10
	db := open(t, config)
	const text = "select repeat('x', $1)"
	if got, err := database.Value[string](t.Context(), db, text, 60<<10); err != nil || len(got) != 60<<10 {
		t.Errorf("below: got %d bytes, %v", len(got), err)
	}
	if _, err := database.Value[string](t.Context(), db, text, 64<<10); err == nil {
		t.Error("above: no error")
	}
	if _, err := database.Value[int](t.Context(), db, "select 1"); err != nil {
		t.Error("after:", err)
	}
}
