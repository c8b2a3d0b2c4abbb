package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// A second command stops and starts, freezes and thaws a server of the first one, and says
// how to undo it.
func TestControl(t *testing.T) {
	redis := servers.RunRedis(t, servers.RedisOptions{})
	c := runControl(t, redis)

	if _, err := ask(t, "stop", "redis"); err == nil || !strings.Contains(err.Error(), "not been started yet") {
		t.Errorf("stop of a server that was not started: %v", err)
	}
	if err := c.started(redis, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		verb, answer string
		running      bool
	}{
		{"stop", "redis is stopped. To undo it: bin/run start redis", false},
		{"stop", "redis is stopped. To undo it: bin/run start redis", false},
		{"start", "redis is running again.", true},
		{"freeze", "redis is frozen. To undo it: bin/run thaw redis", true},
		{"thaw", "redis is running again.", true},
	} {
		text, err := ask(t, step.verb, "redis")
		if err != nil || strings.TrimSpace(text) != step.answer {
			t.Errorf("%s: %q %v, want %q", step.verb, text, err, step.answer)
		}
		if redis.Running() != step.running {
			t.Errorf("after %s: running is %t", step.verb, redis.Running())
		}
	}
	if err := redis.Do(t.Context(), "PING"); err != nil {
		t.Errorf("after it was thawed: %v", err)
	}
	for server, want := range map[string]string{"redis": "it is running", "mysql": "there are redis"} {
		if _, err := ask(t, "start", server); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("start of %s: %v, want %q", server, err, want)
		}
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), "another make run") {
		t.Errorf("a second make run in the same folder: %v", err)
	}
}

// Without a make run the command says so, also where a socket was left behind.
func TestControlOfNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(live, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, left := range []bool{false, true} {
		if left {
			if err := os.WriteFile(socket(), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ask(t, "stop", "redis"); err == nil || !strings.Contains(err.Error(), "no make run is running in this folder") {
			t.Errorf("with a socket left behind (%t): %v", left, err)
		}
	}
	if l, err := listen(); err != nil {
		t.Errorf("the socket that was left behind is in the way: %v", err)
	} else {
		l.Close()
	}
}

// What connected and asks for nothing does not hold up the end: in a bubble, whose time stands
// still until all wait for it.
func TestControlEndsBesideAnIdleClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		here, there := net.Pipe()
		defer there.Close()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			new(control).answer(ctx, here)
		}()
		synctest.Wait()
		began := time.Now()
		cancel()
		<-ended
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"stop"}, {"melt", "redis"}, {"stop", "redis", "now"}} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
}

// runControl serves in a folder of the test's own, which becomes the current one.
func runControl(t *testing.T, set ...servers.Server) *control {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(live, 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := newControl(listener, set, func(line string) { t.Log(line) })
	ended := make(chan error, 1)
	go func() { ended <- c.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

func ask(t *testing.T, verb, server string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := send(t.Context(), &out, verb, server)
	return out.String(), err
}
