package page_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/reims/reims-health/test/page"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// What all tests share: the program, a browser, and servers that none disturbs.
var (
	binary   string
	browser  context.Context
	standing []servers.Server
	pictures string // the folder where they are kept
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := prepare(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepare(run func() int) (code int, err error) {
	root, err := servers.Root()
	if err != nil {
		return 0, err
	}
	pictures = filepath.Join(root, "dist", "screenshots", "test")
	dir, err := os.MkdirTemp("", "reims-health-page-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.MkdirAll(pictures, 0o755), os.Chmod(dir, 0o711)); err != nil { // PostgreSQL runs as another user
		return 0, err
	}
	if binary, err = program.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stopServers()) }()
	if err := startServers(dir); err != nil {
		return 0, err
	}
	var stop func()
	if browser, stop, err = page.Launch(context.Background(), filepath.Join(dir, "browser")); err != nil {
		return 0, err
	}
	defer stop()
	return run(), nil
}

func startServers(dir string) (err error) {
	if standing, err = servers.NewSet(servers.Options{Dir: dir}); err != nil {
		return err
	}
	errs := make([]error, len(standing))
	var starting sync.WaitGroup
	for i, server := range standing {
		starting.Go(func() { errs[i] = server.Start(context.Background()) })
	}
	starting.Wait()
	return errors.Join(errs...)
}

func stopServers() error {
	var errs []error
	for _, server := range standing {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// start starts a sidecar of the standing servers for the test; its own variables win.
func start(t *testing.T, own ...servers.Var) *page.Sidecar {
	t.Helper()
	var vars []servers.Var
	for _, server := range standing {
		vars = append(vars, server.Env()...)
	}
	for _, name := range []string{"DATABASE", "REDIS", "MINIO", "OLLAMA"} {
		vars = append(vars, servers.Var{Name: name + "_PROBE_INTERVAL", Value: "500ms"})
	}
	sidecar, err := page.StartSidecar(binary, slices.Concat(vars, own)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sidecar.Stop(); err != nil {
			t.Error(err)
		}
	})
	return sidecar
}

func open(t *testing.T, url string, v page.View) (context.Context, *page.Journal) {
	t.Helper()
	tab, journal, err := page.Open(browser, url, v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chromedp.Cancel(tab) })
	return tab, journal
}

// awaitCode waits for the code of /health.
func awaitCode(t *testing.T, s *page.Sidecar, code int) {
	t.Helper()
	poll.Until(t, fmt.Sprintf("/health answers %d", code), func() bool {
		response, err := http.Get(s.URL + "/health")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == code
	})
}

// awaitText waits for what the page says.
func awaitText(tab context.Context, t *testing.T, selector, text string, within time.Duration) time.Duration {
	t.Helper()
	return poll.Seen(t, within, selector+" says "+text, func() (string, bool) {
		seen, _ := page.Read(tab, selector) // the page may be loading
		return seen, seen == text
	})
}

func evaluate[T any](tab context.Context, t *testing.T, expression string) T {
	t.Helper()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}
