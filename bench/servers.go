package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/reims/reims-health/test/poll"
)

const (
	serverTime = 500 * time.Millisecond // of each load
	warmUp     = 50 * time.Millisecond  // before it
)

// The states of the services that a server reports on.
const (
	up   = "up"
	down = "hung"
)

func connectionCounts() []int { return []int{1, 16, 64, 200} }

// running is a server that is measured.
type running struct {
	of, services  string
	address, path string
	pid           int
	// connections are the loads; nil for all.
	connections []int
}

// startServers starts every server that is measured.
func (w *world) startServers(ctx context.Context) ([]running, error) {
	var all []running
	for _, services := range []string{up, down} {
		way, err := w.newWays()
		if err != nil {
			return nil, err
		}
		sidecar, err := w.sidecar(ctx, "sidecar-"+services, way.env()...)
		if err != nil {
			return nil, err
		}
		at, err := url.Parse(sidecar.Endpoint())
		if err != nil {
			return nil, err
		}
		if err := answers(ctx, sidecar.Endpoint(), http.StatusOK); err != nil {
			return nil, err
		}
		all = append(all, running{of: ours, services: services, address: at.Host, path: "/health", pid: sidecar.Instance().PID})
		var addresses []string
		if services == up {
			if all, err = w.startBare(ctx, all, sidecar.Endpoint()); err != nil {
				return nil, err
			}
		} else {
			addresses = way.silence()
			if err := answers(ctx, sidecar.Endpoint(), http.StatusServiceUnavailable); err != nil {
				return nil, err
			}
		}
		for _, name := range libraries() {
			p, err := w.child(ctx, nil, name, addresses...)
			if err != nil {
				return nil, err
			}
			_, path, err := library(name, free())
			if err != nil {
				return nil, err
			}
			s := running{of: name, services: services, address: p.Health, path: path, pid: p.PID()}
			if services == down && name != alexLiesenfeld {
				s.connections = []int{1, 64} // each request waits for the checks: more tell no more
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// startBare starts the bare server, with the answer that is at the URL now.
func (w *world) startBare(ctx context.Context, all []running, url string) ([]running, error) {
	same, err := fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(same)
	if err != nil {
		return nil, err
	}
	p, err := w.child(ctx, input, bare)
	if err != nil {
		return nil, err
	}
	return append(all, running{of: bare, services: up, address: p.Health, path: "/health", pid: p.PID()}), nil
}

// answers waits until the URL answers with the code.
func answers(ctx context.Context, url string, code int) error {
	var got answer
	var err error
	if !poll.Poll(ctx, time.Minute, func() bool {
		got, err = fetch(ctx, url)
		return err == nil && got.Code == code
	}) {
		return fmt.Errorf("%s does not answer %d: %d %s %w", url, code, got.Code, got.Body, err)
	}
	return nil
}

// fetch returns the answer at a URL.
func fetch(ctx context.Context, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	response.Header.Del("Date") // net/http writes it
	return answer{response.StatusCode, response.Header, body}, nil
}

// measureServers puts every load on every server.
func measureServers(ctx context.Context, r *results, all []running) error {
	for _, connections := range connectionCounts() {
		for _, i := range r.shuffled(len(all)) {
			if s := all[i]; s.connections == nil || slices.Contains(s.connections, connections) {
				if err := measureServer(ctx, r, s, connections); err != nil {
					return fmt.Errorf("%s with %d connections: %w", s.of, connections, err)
				}
			}
		}
	}
	return nil
}

func measureServer(ctx context.Context, r *results, s running, connections int) error {
	if s.services == up {
		if _, err := load(ctx, s.address, s.path, connections, warmUp); err != nil {
			return err
		}
	}
	before, err := spent(s.pid)
	if err != nil {
		return err
	}
	o, err := load(ctx, s.address, s.path, connections, serverTime)
	if err != nil {
		return err
	}
	after, err := spent(s.pid)
	if err != nil {
		return err
	}
	requests := float64(len(o.latencies))
	r.add(partServer, []string{"of", s.of, "services", s.services, "connections", strconv.Itoa(connections)},
		value{float64(o.answered) / o.took.Seconds(), unitRate},
		value{float64(o.quantile(0.5)), unitP50},
		value{float64(o.quantile(0.99)), unitP99},
		value{float64(o.quantile(0.999)), unitP999},
		value{float64(after-before) / requests, unitCPU},
		value{100 * float64(o.answered) / requests, unitAnswered})
	return nil
}
