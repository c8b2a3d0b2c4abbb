package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/reims/reims-health/test/servers"
)

// entry is one server that was started.
type entry struct {
	servers.Instance
	Endpoint string `json:"endpoint"`
}

// state is what was started, as kept in servers.json. One process at a time has
// it open.
type state struct {
	path string
	lock *os.File

	mu      sync.Mutex // guards entries and the file
	entries []entry
}

// openState reads the state of the folder, which must exist.
func openState(dir string) (*state, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "servers.lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	s := &state{path: filepath.Join(dir, "servers.json"), lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: another up or down is at work: %w", lock.Name(), err), lock.Close())
	}
	raw, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s.entries)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", s.path, err), lock.Close())
	}
	return s, nil
}

func (s *state) close() {
	// Closing alone is not enough: a child between fork and exec has the file too.
	_ = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN)
	_ = s.lock.Close()
}

// add notes a server at once, so that down finds it whatever happens to up.
func (s *state) add(server servers.Server) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entry{server.Instance(), server.Endpoint()})
	raw, err := json.MarshalIndent(s.entries, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.path, append(raw, '\n'), 0o600)
}

// running returns the names of the servers that run.
func (s *state) running() []string {
	var names []string
	for _, e := range s.sorted() {
		if e.Running() {
			names = append(names, e.Name)
		}
	}
	return names
}

func (s *state) allRunning() bool {
	return len(s.entries) > 0 && len(s.running()) == len(s.entries)
}

func (s *state) sorted() []entry {
	return slices.SortedFunc(slices.Values(s.entries), func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
}

// stopAll stops every server that runs, and forgets them all when they are gone.
func (s *state) stopAll() error {
	var err error
	for _, e := range s.entries {
		err = errors.Join(err, e.Stop())
	}
	if err != nil {
		return err
	}
	s.entries = nil
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
