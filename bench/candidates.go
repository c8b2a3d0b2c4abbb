package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	alexliesenfeld "github.com/alexliesenfeld/health"
	hellofresh "github.com/hellofresh/health-go/v5"
	hellohttp "github.com/hellofresh/health-go/v5/checks/http"
	"github.com/hellofresh/health-go/v5/checks/pgx5"
	helloredis "github.com/hellofresh/health-go/v5/checks/redis"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// The candidates, besides our own program.
const (
	ours              = "reims-health"
	bare              = "net/http"
	controllerRuntime = "controller-runtime"
	helloFresh        = "hellofresh"
	alexLiesenfeld    = "alexliesenfeld"
)

func libraries() []string { return []string{controllerRuntime, helloFresh, alexLiesenfeld} }

// check is what the libraries have in common.
type check struct {
	name string
	run  func(context.Context) error
}

// free are as many checks as ours has by default, which cost nothing: what is measured of a
// library is the library.
func free() []check {
	none := func(context.Context) error { return nil }
	return []check{{"database", none}, {"redis", none}, {"minio", none}, {"ollama", none}}
}

// hung are the checks that health-go brings for the same services, of servers at these
// addresses: PostgreSQL, Redis, MinIO, Ollama.
func hung(addresses []string) ([]check, error) {
	if len(addresses) != 4 {
		return nil, fmt.Errorf("%d addresses, want those of the four services", len(addresses))
	}
	return []check{
		{"database", pgx5.New(pgx5.Config{DSN: "postgres://bench@" + addresses[0] + "/bench?sslmode=disable"})},
		{"redis", helloredis.New(helloredis.Config{DSN: "redis://" + addresses[1]})},
		{"minio", hellohttp.New(hellohttp.Config{URL: "http://" + addresses[2]})},
		{"ollama", hellohttp.New(hellohttp.Config{URL: "http://" + addresses[3]})},
	}, nil
}

// timeout bounds each check, as it does by default in our program for PostgreSQL, and in
// health-go.
const timeout = 2 * time.Second

// library returns the handler of a library with these checks, and the path that asks it for
// the state of each of them. Alexliesenfeld's runs them on a timer, as our program does; the
// others run them for each request, and have no other way.
func library(name string, checks []check) (handler http.Handler, path string, err error) {
	switch name {
	case controllerRuntime:
		h := &healthz.Handler{Checks: map[string]healthz.Checker{}}
		for _, c := range checks {
			h.Checks[c.name] = func(r *http.Request) error {
				ctx, cancel := context.WithTimeout(r.Context(), timeout)
				defer cancel()
				return c.run(ctx)
			}
		}
		return h, "/?verbose", nil
	case helloFresh:
		h, err := hellofresh.New(hellofresh.WithComponent(hellofresh.Component{Name: "bench", Version: "1"}))
		if err != nil {
			return nil, "", err
		}
		for _, c := range checks {
			if err := h.Register(hellofresh.Config{Name: c.name, Timeout: timeout, Check: c.run}); err != nil {
				return nil, "", err
			}
		}
		return h.Handler(), "/", nil
	case alexLiesenfeld:
		options := []alexliesenfeld.CheckerOption{alexliesenfeld.WithTimeout(timeout)}
		for _, c := range checks {
			options = append(options, alexliesenfeld.WithPeriodicCheck(5*time.Second, 0, alexliesenfeld.Check{Name: c.name, Check: c.run}))
		}
		return alexliesenfeld.NewHandler(alexliesenfeld.NewChecker(options...)), "/", nil
	default:
		return nil, "", fmt.Errorf("no library is called %q", name)
	}
}

// answer is what the bare handler answers.
type answer struct {
	Code   int
	Header http.Header
	Body   []byte
}

// answerOf asks a handler.
func answerOf(h http.Handler, path string) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// ServeHTTP writes the answer, and is as fast as a handler can do that.
func (a *answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	maps.Copy(header, a.Header)
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body)
}

// serve serves a candidate on loopback until ctx is done, and logs its address as our program
// does. The bare one reads its answer from in. Addresses are those of services that hang;
// without any, checks cost nothing.
func serve(ctx context.Context, name string, addresses []string, in io.Reader, log io.Writer) error {
	var handler http.Handler
	if name == bare {
		fixed := new(answer)
		if err := json.NewDecoder(in).Decode(fixed); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		handler = fixed
	} else {
		checks := free()
		if len(addresses) > 0 {
			var err error
			if checks, err = hung(addresses); err != nil {
				return err
			}
		}
		var err error
		if handler, _, err = library(name, checks); err != nil {
			return err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	slog.New(slog.NewJSONHandler(log, nil)).Info("serving", "health_addr", listener.Addr().String())
	server := &http.Server{Handler: handler} // without limits, so that nothing of it costs time
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
