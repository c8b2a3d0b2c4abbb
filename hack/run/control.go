package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// experiment is something to break or to repair, and what it shows.
type experiment struct{ verb, server, seen string }

// experiments are what the introduction offers.
var experiments = []experiment{
	{"stop", "redis", "Within 15 s redis is unhealthy (refused) and the whole degraded: /health still answers 200."},
	{"start", "redis", "All of it is healthy again."},
	{"freeze", "postgres", "Within 15 s the database is unhealthy (timeout) and the Pod not ready: /health answers 503."},
	{"thaw", "postgres", "All of it is healthy again."},
}

// verb is what can be done to a server, in what state that leaves it, and what undoes it.
type verb struct {
	do          func(context.Context, servers.Server) error
	state, undo string
}

var verbs = map[string]verb{
	"stop":   {func(_ context.Context, s servers.Server) error { return s.Stop() }, "stopped", "start"},
	"start":  {func(ctx context.Context, s servers.Server) error { return s.Start(ctx) }, "running again", ""},
	"freeze": {func(_ context.Context, s servers.Server) error { return s.Freeze() }, "frozen", "thaw"},
	"thaw":   {func(_ context.Context, s servers.Server) error { return s.Thaw() }, "running again", ""},
}

func isVerb(word string) bool {
	_, known := verbs[word]
	return known
}

// socket is the path of the Unix socket by which a second command reaches the first one.
// It is relative, because the path of a socket has at most 107 bytes.
func socket() string { return filepath.Join(live, "control") }

// control lets a second command stop, start, freeze and thaw the servers that this one has
// started. One goroutine does one command at a time.
type control struct {
	listener net.Listener
	set      []servers.Server
	ready    map[string]chan struct{} // by the server's name, closed once it was started
	say      func(line string)
}

// listen fails where another one runs in this folder.
func listen() (net.Listener, error) {
	if c, err := net.Dial("unix", socket()); err == nil {
		return nil, errors.Join(errors.New("another make run is running in this folder; stop it with Ctrl-C in its terminal"), c.Close())
	}
	if err := os.Remove(socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", socket())
}

func newControl(listener net.Listener, set []servers.Server, say func(line string)) *control {
	c := &control{listener: listener, set: set, ready: make(map[string]chan struct{}), say: say}
	for _, s := range set {
		c.ready[s.Name()] = make(chan struct{})
	}
	return c
}

// started notes that a server runs, unless it failed to start.
func (c *control) started(s servers.Server, err error) error {
	if err == nil {
		close(c.ready[s.Name()])
	}
	return err
}

// isStarted tells whether the server was started, whatever has become of it since.
func (c *control) isStarted(name string) bool {
	select {
	case <-c.ready[name]:
		return true
	default:
		return false
	}
}

// serve does what is asked for until ctx is done.
func (c *control) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.listener.Close() })
	defer stop()
	for {
		conn, err := c.listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen on %s: %w", socket(), err)
		}
		c.answer(ctx, conn)
	}
}

// answer reads "VERB SERVER" and writes "ok" or "error", and a text.
func (c *control) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(io.LimitReader(conn, 1<<10)).ReadString('\n')
	if err != nil {
		return // it asked for nothing, as a second make run does
	}
	verb, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	text, err := c.do(ctx, verb, name)
	if err != nil {
		fmt.Fprintf(conn, "error %v", err)
		return
	}
	c.say(fmt.Sprintf("%s  $ bin/run %s %s", time.Now().Format(time.TimeOnly), verb, name))
	fmt.Fprintf(conn, "ok %s", text)
}

func (c *control) do(ctx context.Context, word, name string) (text string, err error) {
	i := slices.IndexFunc(c.set, func(s servers.Server) bool { return s.Name() == name })
	if i < 0 {
		var names []string
		for _, s := range c.set {
			names = append(names, s.Name())
		}
		return "", fmt.Errorf("no server is called %q; there are %s", name, strings.Join(names, ", "))
	}
	server := c.set[i]
	if !c.isStarted(name) {
		return "", fmt.Errorf("%s has not been started yet", name)
	}
	asked, known := verbs[word]
	if !known {
		return "", fmt.Errorf("no command is called %q", word)
	}
	if err := asked.do(ctx, server); err != nil {
		return "", err
	}
	text = fmt.Sprintf("%s is %s.", name, asked.state)
	if asked.undo != "" {
		text += fmt.Sprintf(" To undo it: bin/run %s %s", asked.undo, name)
	}
	return text, nil
}

// send has the make run of this folder do something, and writes what it answers.
func send(ctx context.Context, out io.Writer, verb, name string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket())
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("no make run is running in this folder; start it in another terminal, or change to its folder")
	}
	if err != nil {
		return fmt.Errorf("reach make run by %s: %w", socket(), err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := fmt.Fprintf(conn, "%s %s\n", verb, name); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	result, text, _ := strings.Cut(string(answer), " ")
	if result != "ok" {
		return errors.New(text)
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
