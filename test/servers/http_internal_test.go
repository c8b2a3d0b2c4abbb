package servers

import (
	"errors"
	"syscall"
	"testing"
)

func TestReserve(t *testing.T) {
	t.Parallel()
	port, reservation, err := reservePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reserve(loopback, port); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("reserve a reserved port: %v, want %v", err, syscall.EADDRINUSE)
	}
	if err := reservation.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := reserve(loopback, port)
	if err != nil {
		t.Fatalf("reserve a port that was given back: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
