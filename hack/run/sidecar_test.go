package main

import "testing"

func TestOnLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":8018":          "127.0.0.1:8018",
		"127.0.0.2:8018": "127.0.0.2:8018",
		"[::1]:8018":     "[::1]:8018",
		"localhost:http": "localhost:http",
		"8018":           "8018",
	} {
		if got := onLoopback(addr); got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}
