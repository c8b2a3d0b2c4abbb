package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// plain is a connection for a server that hangs up on a command that it does
// not know, as Twemproxy does on HELLO and INFO. It knows AUTH and PING alone.
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
		conn, err := r.dial(ctx, r.dialer.Route(), r.network(), r.options.Addr)
		if err != nil {
			return reply{}, err
		}
		r.plain = &plain{conn, bufio.NewReader(conn)}
		if err := r.loginPlainly(ctx); err != nil {
			return reply{}, err
		}
	}
	asked := time.Now()
	answer, err := r.plain.do(ctx, "PING")
	if err == nil && answer != "PONG" {
		err = errNotRedis
	}
	return reply{latency: time.Since(asked), notes: []string{noteNoInfo}}, err
}

func (r *Checker) loginPlainly(ctx context.Context) error {
	username, password, err := r.credentials(ctx)
	if err != nil || password == "" {
		return err
	}
	args := []string{"AUTH", username, password}
	if username == "" {
		args = []string{"AUTH", password}
	}
	_, err = r.plain.do(ctx, args...)
	return err
}

// do sends one command and returns its answer, which is a line.
func (p *plain) do(ctx context.Context, args ...string) (string, error) {
	deadline, _ := ctx.Deadline()
	if err := p.conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := p.conn.Write([]byte(command.String())); err != nil {
		return "", err
	}
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if text, failed := strings.CutPrefix(line, "-"); failed {
		return "", replyError(text)
	}
	answer, ok := strings.CutPrefix(line, "+")
	if !ok {
		return "", errNotRedis
	}
	return answer, nil
}

// hasReply reports whether the server answered with an error of its own.
func hasReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}
