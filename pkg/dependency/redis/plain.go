package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// plain is a connection that sends what it is told to and nothing else: to a Sentinel, and
// to a server that hangs up on a command that it does not know, as Twemproxy does on HELLO
// and INFO.
type plain struct {
	conn  net.Conn
	lines *bufio.Reader
}

// replyError is an error that the server answered with.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes it a [redis.Error].
func (replyError) RedisError() {}

// askPlainly sends a PING alone, on a connection that it keeps.
func (r *Checker) askPlainly(ctx context.Context) (reply, error) {
	if r.plain == nil {
		conn, err := r.dial(ctx, r.dialer.Route(), r.network(), r.options.Addr, r.options.TLS)
		if err != nil {
			return reply{}, err
		}
		r.plain = &plain{conn, bufio.NewReader(conn)}
		username, password, err := r.credentials(ctx)
		if err != nil {
			return reply{}, err
		}
		if err := r.plain.login(ctx, username, password); err != nil {
			return reply{}, err
		}
	}
	asked := time.Now()
	answer, err := r.plain.do(ctx, "PING")
	if err == nil && !slices.Equal(answer, []string{"PONG"}) {
		err = errNotRedis
	}
	return reply{latency: time.Since(asked), notes: []string{noteNoInfo}}, err
}

// login does nothing without a password.
func (p *plain) login(ctx context.Context, username, password string) error {
	if password == "" {
		return nil
	}
	args := []string{"AUTH", username, password}
	if username == "" {
		args = []string{"AUTH", password}
	}
	_, err := p.do(ctx, args...)
	return err
}

// do sends one command and returns its answer: a line, a text, or a few texts; nil for
// nothing.
func (p *plain) do(ctx context.Context, args ...string) ([]string, error) {
	deadline, _ := ctx.Deadline()
	if err := p.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := p.conn.Write([]byte(command.String())); err != nil {
		return nil, err
	}
	line, err := p.line()
	count, listed := strings.CutPrefix(line, "*")
	if err != nil || !listed {
		return p.item(line, err)
	}
	n, err := strconv.Atoi(count)
	if err != nil || n > maxItems {
		return nil, errNotRedis
	}
	var answer []string
	for range n {
		item, err := p.item(p.line())
		if err != nil {
			return nil, err
		}
		answer = append(answer, item...)
	}
	return answer, nil
}

// maxItems is above what any answer has that is asked for.
const maxItems = 16

// line returns a line without its end, which is empty for an error.
func (p *plain) line() (string, error) {
	line, err := p.lines.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// item returns what the line says, or the text that it announces.
func (p *plain) item(line string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	if text, failed := strings.CutPrefix(line, "-"); failed {
		return nil, replyError(text)
	}
	if text, ok := strings.CutPrefix(line, "+"); ok {
		return []string{text}, nil
	}
	size, ok := strings.CutPrefix(line, "$")
	n, err := strconv.Atoi(size)
	switch {
	case !ok || err != nil:
		return nil, errNotRedis
	case n < 0:
		return nil, nil
	case n > maxRedisReply:
		return nil, errReplyTooLarge
	}
	text := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(p.lines, text); err != nil {
		return nil, err
	}
	return []string{string(text[:n])}, nil
}

// hasReply reports whether the server answered with an error of its own.
func hasReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}
