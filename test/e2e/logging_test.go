package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// Whatever becomes of the log, the sidecar serves, checks, and ends in time. Each test
// here gives it a standard error of another kind; none of them is read while it runs.
const quick = "10ms" // an interval that fills a log soon

// TestLogIsNotRead fills pipe and queue while LOG_LEVEL=debug logs each check and each
// statement. Checks go on, in time; SIGTERM is heard; and once the pipe is read again,
// the log says how many lines are missing.
func TestLogIsNotRead(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	r, w := pipe(t)
	s := launchLogging(t, w, with(with(pg.Env(), "HEALTH_SERVICES", "database"), "DATABASE_PROBE_INTERVAL", quick)...)
	s.awaitService("database", "healthy", "", confirmed)
	const dropped, checks = "reims_health_log_lines_dropped_total", `reims_health_probes_total{reason="",result="success",service="database"}`
	if !poll.Poll(t.Context(), time.Minute, func() bool { return s.scrape()[dropped] > 100 }) {
		t.Fatalf("no lines are dropped: %v", s.scrape()[dropped])
	}
	before := s.scrape()[checks]
	if !poll.Poll(t.Context(), 10*time.Second, func() bool { return s.scrape()[checks] > before+20 }) {
		t.Error("checks stand still")
	}
	s.awaitService("database", "healthy", "", slack)

	lines := bufio.NewScanner(r)
	for told := false; !told; {
		if !lines.Scan() {
			t.Fatalf("no line says how many are missing: %v", lines.Err())
		}
		var record struct {
			Msg   string
			Lines float64
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatalf("a broken line: %v\n%s", err, lines.Text())
		}
		told = strings.HasPrefix(record.Msg, "log lines were lost here") && record.Lines > 0
	}
	for range 10 { // it goes on as before
		if !lines.Scan() || !json.Valid(lines.Bytes()) {
			t.Fatalf("a broken line: %v\n%s", lines.Err(), lines.Text())
		}
	}
	poll.Poll(t.Context(), time.Minute, func() bool { return s.scrape()[dropped] > before }) // full again, as far as it gets
	s.end(t)
}

// TestBadLogs starts the sidecar with a standard error that takes nothing from the start,
// or soon no more.
func TestBadLogs(t *testing.T) {
	t.Parallel()
	redis := servers.RunRedis(t, servers.RedisOptions{})
	vars := with(with(redis.Env(), "HEALTH_SERVICES", "redis"), "REDIS_PROBE_INTERVAL", quick)
	for name, open := range map[string]func(t *testing.T) *os.File{
		"a pipe that is full": func(t *testing.T) *os.File {
			t.Helper()
			_, w := pipe(t)
			fill(t, w)
			return w
		},
		"a pipe whose reader has gone": func(t *testing.T) *os.File {
			t.Helper()
			r, w := pipe(t)
			r.Close()
			return w
		},
		"a pipe whose reader goes": func(t *testing.T) *os.File {
			t.Helper()
			var reading sync.WaitGroup
			t.Cleanup(reading.Wait)
			r, w := pipe(t)
			reading.Go(func() {
				_, _ = r.Read(make([]byte, 1000))
				r.Close()
			})
			return w
		},
		"a full disk": func(t *testing.T) *os.File {
			t.Helper()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			must(t, err)
			t.Cleanup(func() { full.Close() })
			return full
		},
		"a file that is open for reading": func(t *testing.T) *os.File {
			t.Helper()
			f, err := os.Open(os.DevNull)
			must(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		},
		"closed": func(*testing.T) *os.File { return nil },
		"a terminal that is stopped with Ctrl-S": func(t *testing.T) *os.File {
			t.Helper()
			keyboard, terminal, err := pty.Open()
			must(t, err)
			t.Cleanup(func() { keyboard.Close(); terminal.Close() })
			const xonc, stop = 0x540a, 0 // TCXONC and TCOOFF, as in the kernel's headers
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), xonc, stop)
			if errno != 0 {
				t.Fatal(errno)
			}
			return terminal
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := launchLogging(t, open(t), vars...)
			s.awaitService("redis", "healthy", "", confirmed)
			s.end(t)
		})
	}
}

// TestErrorsWithBadLogs: what ends at once still does, with its exit code.
func TestErrorsWithBadLogs(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	for _, test := range []struct {
		args []string
		vars []servers.Var
		code int
	}{
		{[]string{"serve"}, with(nil, "DATABASE_PORT", "none"), 2},
		{[]string{"serve", "--nonsense"}, nil, 2},
		{[]string{"serve"}, with(nil, "HEALTH_ADDR", "203.0.113.1:1"), 1},
		{[]string{"wait", "--for=database"}, pg.Env(), 0},
		{[]string{"wait", "--for=database", "--timeout=1ms"}, with(nil, "DATABASE_PORT", "1"), 1},
		{[]string{"migrate", "up"}, pg.Env(), 0},
		{[]string{"migrate", "up", "--lock-wait=-1s"}, pg.Env(), 2},
	} {
		for name, full := range map[string]bool{"full": true, "gone": false} {
			r, w := pipe(t)
			if full {
				fill(t, w)
			} else {
				r.Close()
			}
			p := startProgram(t, w, w, test.args, test.vars...)
			select {
			case <-p.Exited():
			case <-time.After(time.Minute):
				t.Fatalf("%v hangs with a pipe that is %s", test.args, name)
			}
			if code := p.State().ExitCode(); code != test.code {
				t.Errorf("%v with a pipe that is %s: exit %d (%v), want %d", test.args, name, code, p.Wait(), test.code)
			}
		}
	}
}

// A command whose output is what it is for is ended by a reader that goes, as by custom.
func TestOutputOfShortCommands(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	r.Close()
	p := startProgram(t, w, w, []string{"config"})
	<-p.Exited()
	if status, ok := p.State().Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGPIPE {
		t.Errorf("config | true: %v", p.Wait())
	}
	r, w = pipe(t)
	fill(t, w)
	p = startProgram(t, w, nil, []string{"config"})
	must(t, w.Close())
	text, err := io.ReadAll(r) // a slow reader gets all
	must(t, err)
	<-p.Exited()
	if code, whole, _ := runProgram(t, nil, "config"); code != 0 || !strings.HasSuffix(string(text), whole) {
		t.Errorf("exit %d, %d bytes of output with a slow reader, not the %d of a quick one", code, len(text), len(whole))
	}
}

// The runtime's own report, of a panic or of SIGQUIT, goes to standard error.
func TestCrashReport(t *testing.T) {
	t.Parallel()
	s := launchSidecar(t, []string{"serve"}, with(nil, "HEALTH_SERVICES", "redis")...)
	s.Signal(syscall.SIGQUIT)
	<-s.Exited()
	if text := s.Log(); s.State().ExitCode() != 2 || !strings.Contains(text, "SIGQUIT") || !strings.Contains(text, "goroutine ") {
		t.Errorf("%v:\n%s", s.Wait(), text)
	}

	_, w := pipe(t) // a report for which there is no room does not keep the process
	s = launchLogging(t, w, with(nil, "HEALTH_SERVICES", "redis")...)
	fill(t, w)
	s.Signal(syscall.SIGQUIT)
	select {
	case <-s.Exited():
	case <-time.After(time.Minute):
		t.Fatal("a crash with a full pipe hangs")
	}
	if code := s.State().ExitCode(); code != 2 {
		t.Errorf("exit %d (%v), want 2", code, s.Wait())
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// fill fills a pipe to the last byte.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		must(t, syscall.SetNonblock(int(fd), true))
		for size := 4096; size > 0; {
			if _, err := syscall.Write(int(fd), make([]byte, size)); errors.Is(err, syscall.EAGAIN) {
				size /= 2
			} else if err != nil {
				t.Error(err)
				return
			}
		}
		must(t, syscall.SetNonblock(int(fd), false)) // the program shares this setting
	}))
}

// launchLogging starts the sidecar with that standard error, closed if it is nil, and
// waits until it answers.
func launchLogging(t *testing.T, stderr *os.File, vars ...servers.Var) *sidecar {
	t.Helper()
	health, metrics := servers.FreeAddr(t), servers.FreeAddr(t)
	s := startProgram(t, nil, stderr, []string{"serve"}, with(with(vars, "HEALTH_ADDR", health), "METRICS_ADDR", metrics)...)
	s.health, s.metrics = "http://"+health, "http://"+metrics+"/metrics"
	if !poll.Poll(t.Context(), 30*time.Second, func() bool {
		a, err := s.fetch(http.MethodGet, s.health+"/health/live")
		return err == nil && a.code == 200
	}) {
		t.Fatal("nothing is served")
	}
	return s
}

// startProgram starts a command with these outputs; nil is a closed one.
func startProgram(t *testing.T, stdout, stderr *os.File, args []string, vars ...servers.Var) *sidecar {
	t.Helper()
	script := `exec "$0" "$@"`
	if stdout == nil {
		script += " >&-"
	}
	if stderr == nil {
		script += " 2>&-"
	}
	s := newSidecar(t, vars)
	cmd := exec.Command("sh", append([]string{"-c", script, binary}, args...)...)
	cmd.Env = environ(vars)
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if stderr != nil {
		cmd.Stderr = stderr
	}
	var err error
	s.Process, err = program.Start(cmd)
	must(t, err)
	t.Cleanup(s.Kill)
	return s
}

// end holds the sidecar to what it promises on SIGTERM.
func (s *sidecar) end(t *testing.T) {
	t.Helper()
	began := time.Now()
	s.Signal(syscall.SIGTERM)
	a, _ := s.await("/health/ready", 900*time.Millisecond, func(a answer) bool { return a.code == 503 })
	if !strings.Contains(a.body, `"shutdown"`) {
		t.Errorf("/health/ready after SIGTERM: %s", a.body)
	}
	select {
	case <-s.Exited():
	case <-time.After(time.Minute):
		t.Fatal("SIGTERM is ignored")
	}
	if d := time.Since(began); s.Wait() != nil || d > 5*time.Second {
		t.Errorf("exit after %s: %v", d, s.Wait())
	}
}
