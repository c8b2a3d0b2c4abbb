package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// CountConnections counts, in the kernel's own table, the connections of an address of 127.0.0.1 that
// a process still has: those that its server has accepted or that wait in its queue, and those that
// clients on this machine have opened to it. Linux only.
func CountConnections(addr string) (accepted, opened int, err error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, 0, err
	}
	var port int
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		return 0, 0, fmt.Errorf("address %q: %w", addr, err)
	}
	const established, closeWait = "01", "08"
	wanted := fmt.Sprintf("0100007F:%04X", port)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if f[3] != established && f[3] != closeWait {
			continue
		}
		if f[1] == wanted {
			accepted++
		}
		if f[2] == wanted {
			opened++
		}
	}
	return accepted, opened, nil
}

// Hoard holds connections to a PostgreSQL, so that there are none for others.
type Hoard struct {
	// URL is where it connects, as a role that has no reserved connections.
	URL   string
	conns []*pgx.Conn
}

// Len returns how many connections it holds.
func (h *Hoard) Len() int { return len(h.conns) }

// Fill takes connections until there are no more.
func (h *Hoard) Fill(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, h.URL)
		if full := (*pgconn.PgError)(nil); errors.As(err, &full) && full.Code == "53300" {
			return nil
		}
		if err != nil {
			return err
		}
		h.conns = append(h.conns, conn)
	}
}

// Release ends all of them.
func (h *Hoard) Release(ctx context.Context) error {
	var errs []error
	for _, conn := range h.conns {
		errs = append(errs, conn.Close(ctx))
	}
	h.conns = nil
	return errors.Join(errs...)
}
