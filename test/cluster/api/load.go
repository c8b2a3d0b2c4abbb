package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// A request that takes longer is lost: its user has left.
const requestTimeout = 5 * time.Second

// result is what the load has seen so far, as GET /result answers it.
type result struct {
	Sent   int            `json:"sent"`
	Lost   int            `json:"lost"`
	Errors map[string]int `json:"errors"` // how often each was seen
	// SlowestMS is the longest time that a good answer took.
	SlowestMS int64 `json:"slowest_ms"`
}

// book counts; its methods may be called concurrently.
type book struct {
	mu     sync.Mutex
	result result
}

func (b *book) add(took time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.result.Sent++
	if err == nil {
		b.result.SlowestMS = max(b.result.SlowestMS, took.Milliseconds())
		return
	}
	b.result.Lost++
	b.result.Errors[cause(err)]++
	fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.RFC3339Nano), err)
}

// cause leaves out the ports, which differ from request to request.
func cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

func (b *book) answer(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = json.NewEncoder(w).Encode(b.result) // the caller's connection
}

// load sends requests at a steady rate until ctx is done, each over a connection of
// its own, so that each asks the Service for a Pod anew.
func load(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	addr := flags.String("addr", ":8080", "`address` to serve /result on")
	url := flags.String("url", "", "where to send requests")
	rate := flags.Int("rate", 40, "requests per second")
	workers := flags.Int("workers", 4, "requests at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &book{result: result{Errors: map[string]int{}}}
	var all sync.WaitGroup
	for range *workers {
		all.Go(func() { b.send(ctx, *url, time.Second*time.Duration(*workers)/time.Duration(*rate)) })
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /result", b.answer)
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: requestTimeout}
	all.Go(func() {
		<-ctx.Done()
		_ = server.Close() // nobody asks any more
	})
	err := server.ListenAndServe()
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	all.Wait()
	return err
}

// send is one worker.
func (b *book) send(ctx context.Context, url string, period time.Duration) {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		err := get(ctx, client, url)
		if ctx.Err() != nil {
			return // cut off by our own end
		}
		b.add(time.Since(began), err)
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
