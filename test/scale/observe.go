package scale

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// sockets watches the connections from this machine to ports of loopback.
type sockets struct {
	mu   sync.Mutex
	by   map[int]*portUse // by the server's port
	done sync.WaitGroup
	stop context.CancelFunc
}

// portUse is what was seen of one server's port.
type portUse struct {
	samples, sum, peak int
	clients            map[int]bool // ports of clients that were ever seen
}

// mean is the average number of connections.
func (u *portUse) mean() float64 { return ratio(float64(u.sum), float64(u.samples)) }

// watchSockets looks at them once per second until it is ended.
func watchSockets(ctx context.Context, ports ...int) *sockets {
	ctx, stop := context.WithCancel(ctx)
	s := &sockets{by: map[int]*portUse{}, stop: stop}
	for _, port := range ports {
		s.by[port] = &portUse{clients: map[int]bool{}}
	}
	s.done.Go(func() {
		for first := true; ; first = false {
			s.look(first)
			if poll.Pause(ctx, time.Second) != nil {
				return
			}
		}
	})
	return s
}

// end stops watching and returns, by port, what was seen, and how many connections were made.
func (s *sockets) end() map[int]*portUse {
	s.stop()
	s.done.Wait()
	return s.by
}

// look counts the connections that are established. Those of the first look were not made under
// its eyes: they are not among the clients.
func (s *sockets) look(first bool) {
	now := map[int][]int{}
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		return // Linux only
	}
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line)
		if len(fields) < 4 || string(fields[3]) != "01" { // established
			continue
		}
		server := hexPort(fields[2])
		if s.by[server] != nil {
			now[server] = append(now[server], hexPort(fields[1]))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for port, use := range s.by {
		clients := now[port]
		use.samples++
		use.sum += len(clients)
		use.peak = max(use.peak, len(clients))
		for _, client := range clients {
			if _, known := use.clients[client]; !known {
				use.clients[client] = !first
			}
		}
	}
}

// made counts the connections that were made since the first look and lived for a second or so.
func (u *portUse) made() int {
	n := 0
	for new := range maps.Values(u.clients) {
		if new {
			n++
		}
	}
	return n
}

func hexPort(address []byte) int {
	_, port, _ := bytes.Cut(address, []byte(":"))
	n, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// serverLog reads the log of a PostgreSQL or a PgBouncer, whose lines begin with the time in UTC,
// to the millisecond.
type serverLog struct {
	path  string
	login *regexp.Regexp // of the line that tells of a login that succeeded
}

func postgresLog(path string) serverLog {
	return serverLog{path, regexp.MustCompile(`connection authorized`)}
}

func pgbouncerLog(path string) serverLog {
	return serverLog{path, regexp.MustCompile(`login attempt`)}
}

// events returns the logins of a time, and how often each message of refusal came.
func (l serverLog) events(from, to time.Time) (logins []time.Time, refusals map[string]int, err error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	refusals = map[string]int{}
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			slices.SortFunc(logins, time.Time.Compare)
			return logins, refusals, nil
		}
		if err != nil {
			return nil, nil, err
		}
		const form = "2006-01-02 15:04:05.000"
		if len(line) < len(form) {
			continue
		}
		at, err := time.Parse(form, line[:len(form)])
		if err != nil || at.Before(from) || !at.Before(to) {
			continue
		}
		_, refusal, refused := strings.Cut(line, "FATAL:  ")
		switch {
		case l.login.MatchString(line):
			logins = append(logins, at)
		case refused:
			refusals[strings.TrimSpace(refusal)]++
		}
	}
}

// ownCPU is the CPU time that this process has used: that of the loops.
func ownCPU() (time.Duration, error) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0, fmt.Errorf("read our CPU time: %w", err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()), nil
}

// enoughFiles is an error where this process may not open as many connections.
func enoughFiles(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(connections + 200); limit.Cur < need {
		return fmt.Errorf("%d open files are allowed, and %d are needed: raise ulimit -n", limit.Cur, need)
	}
	return nil
}
