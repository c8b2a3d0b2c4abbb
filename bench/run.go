package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measure measures the parts that only names and writes the results to the file.
func measure(ctx context.Context, path string, rounds int, only string) (err error) {
	testing.Init()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := &results{out: file, show: os.Stdout, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	has := func(part string) bool { return strings.Contains(only, part) }
	progress := func(line string) { r.say("%s", line) }

	if has("probes") {
		if err := exporters(ctx, progress); err != nil {
			return err
		}
	}
	r.describe()
	if has("handlers") {
		if err := inRounds(r, rounds, "handlers", func() error { return measureHandlers(r) }); err != nil {
			return err
		}
	}
	if has("probes") || has("servers") || has("rest") {
		if err := measureWorld(ctx, r, rounds, has); err != nil {
			return err
		}
	}
	r.line("load-after: " + firstLine("/proc/loadavg"))
	r.say("written to %s", path)
	return r.err
}

// measureWorld measures what needs the servers.
func measureWorld(ctx context.Context, r *results, rounds int, has func(string) bool) (err error) {
	w, err := newWorld(ctx, func(line string) { r.say("%s", line) })
	defer func() { err = errors.Join(err, w.Close()) }()
	if err != nil {
		return err
	}
	var atRest *resting
	if has("rest") {
		if atRest, err = w.rest(ctx); err != nil {
			return err
		}
	}
	if has("probes") {
		all, err := w.newProber(ctx)
		if err != nil {
			return err
		}
		if err := inRounds(r, rounds, "probes", func() error { return all.measure(ctx, r) }); err != nil {
			return err
		}
	}
	if has("rest") {
		r.say("the start of the program, %d times", rounds)
		if err := w.measureStart(ctx, r, rounds); err != nil {
			return err
		}
		r.say("the program at rest, %d windows of %s", rounds, window)
		if err := atRest.measure(ctx, r, rounds); err != nil {
			return err
		}
	}
	if !has("servers") {
		return nil
	}
	r.say("starting the servers that are compared")
	all, err := w.startServers(ctx)
	if err != nil {
		return err
	}
	return inRounds(r, rounds, "servers", func() error { return measureServers(ctx, r, all) })
}

// inRounds does the work as often as there are rounds, and says so.
func inRounds(r *results, rounds int, what string, work func() error) error {
	for i := range rounds {
		r.say("%s, round %d of %d", what, i+1, rounds)
		if err := work(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}
