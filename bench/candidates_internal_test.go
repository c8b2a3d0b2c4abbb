package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// TestBareAnswersTheSame shows that the limit that ours is held against answers the same, byte
// for byte.
func TestBareAnswersTheSame(t *testing.T) {
	us := httptest.NewServer(scenario.NewHandler(scenario.AllWell().View(0), server.Full))
	defer us.Close()
	want, err := fetch(t.Context(), us.URL+"/health")
	if err != nil {
		t.Fatal(err)
	}
	limit := httptest.NewServer(&want)
	defer limit.Close()
	got, err := fetch(t.Context(), limit.URL)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want.Code != http.StatusOK || len(want.Body) < 500 {
		t.Errorf("%d %s", want.Code, want.Body)
	}
}

// TestLibraries shows that each library answers that all is well, and gives its answer a length,
// which the load needs.
func TestLibraries(t *testing.T) {
	for _, name := range libraries() {
		handler, path, err := library(name, free())
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(handler)
		defer s.Close()
		if err := answers(t.Context(), s.URL+path, http.StatusOK); err != nil {
			t.Error(err)
		}
		o, err := load(t.Context(), s.Listener.Addr().String(), path, 3, 50*time.Millisecond)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.answered < 3 || o.answered != len(o.latencies) || o.quantile(0.5) > o.quantile(0.99) || o.quantile(0.99) >= patience {
			t.Errorf("%s: %d answers, %d requests, p50 %s, p99 %s", name, o.answered, len(o.latencies), o.quantile(0.5), o.quantile(0.99))
		}
	}
}

// TestLoadOfASilentServer shows that requests without an answer are counted as that.
func TestLoadOfASilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	o, err := load(t.Context(), silent.Addr().String(), "/", 2, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if o.answered != 0 || len(o.latencies) != 2 || o.quantile(0.5) != patience {
		t.Errorf("%d answers, latencies %v", o.answered, o.latencies)
	}
}
