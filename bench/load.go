package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// patience is how long the kubelet waits for the answer to a probe by default. What is
// answered later counts as not answered.
const patience = time.Second

// outcome is what a load came to.
type outcome struct {
	latencies []time.Duration // of all requests, in order of size; one without an answer has waited for patience
	answered  int
	took      time.Duration
}

// quantile returns the latency that this share of the requests does not exceed.
func (o outcome) quantile(share float64) time.Duration {
	i := int(share*float64(len(o.latencies))+0.999999) - 1
	return o.latencies[min(max(i, 0), len(o.latencies)-1)]
}

// load sends requests to a server over so many connections, each of which is kept and sends the
// next request when the last one is answered, for so long.
func load(ctx context.Context, address, path string, connections int, during time.Duration) (outcome, error) {
	clients := make([]*client, connections)
	for i := range clients {
		c, err := newClient(ctx, address, path)
		if err != nil {
			return outcome{}, err
		}
		defer c.conn.Close()
		clients[i] = c
	}
	var group sync.WaitGroup
	start := time.Now()
	for _, c := range clients {
		group.Go(func() { c.run(start.Add(during)) })
	}
	group.Wait()
	o := outcome{took: time.Since(start)}
	for _, c := range clients {
		if c.err != nil {
			return outcome{}, c.err
		}
		o.answered += c.answered
		o.latencies = append(o.latencies, c.latencies...)
	}
	slices.Sort(o.latencies)
	return o, nil
}

// client is one connection. It reads as little of the answers as it can: it shares the
// processors with what is measured.
type client struct {
	conn      net.Conn
	request   []byte
	buffer    []byte
	latencies []time.Duration
	answered  int
	err       error
}

func newClient(ctx context.Context, address, path string) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{
		conn: conn, buffer: make([]byte, 16<<10), latencies: make([]time.Duration, 0, 4096),
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\n\r\n", path, address),
	}, nil
}

// run sends requests until the end.
func (c *client) run(end time.Time) {
	begin := time.Now()
	for begin.Before(end) {
		if c.err = c.conn.SetDeadline(end.Add(patience)); c.err != nil {
			return
		}
		err := c.ask()
		now := time.Now()
		late, _ := errors.AsType[net.Error](err)
		switch {
		case late != nil && late.Timeout():
			c.latencies = append(c.latencies, patience)
			return
		case err != nil:
			c.err = err
			return
		case now.Sub(begin) >= patience:
			c.latencies = append(c.latencies, patience)
		default:
			c.latencies = append(c.latencies, now.Sub(begin))
			c.answered++
		}
		begin = now
	}
}

var contentLength = []byte("\r\nContent-Length: ")

// ask sends a request and reads its answer, which must have a length.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	read, whole := 0, 0
	for whole == 0 || read < whole {
		if read == len(c.buffer) {
			return errors.New("an answer is too large for the load's buffer")
		}
		n, err := c.conn.Read(c.buffer[read:])
		if err != nil {
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("the server closed a connection after %d answers", c.answered)
			}
			return err
		}
		read += n
		if whole > 0 {
			continue
		}
		head, _, ended := bytes.Cut(c.buffer[:read], []byte("\r\n\r\n"))
		if !ended {
			continue
		}
		_, after, found := bytes.Cut(head, contentLength)
		if !found {
			return fmt.Errorf("an answer has no length: %.200q", head)
		}
		text, _, _ := bytes.Cut(after, []byte("\r\n"))
		length, err := strconv.Atoi(string(text))
		if err != nil {
			return fmt.Errorf("an answer's length: %w", err)
		}
		whole = len(head) + len("\r\n\r\n") + length
	}
	return nil
}
