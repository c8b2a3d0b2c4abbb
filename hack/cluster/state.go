package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

var errDown = errors.New("no cluster is up: start one with make cluster-up")

// state is what is known of the cluster that is up.
type state struct {
	// PID is of the node's first process, as this machine counts.
	PID      int       `json:"pid"`
	Checkout string    `json:"checkout"`
	Programs string    `json:"programs"` // the folder of Kubernetes' own
	Since    time.Time `json:"since"`
	// Owner is whom the cluster is for; with none it is up until somebody ends it.
	Owner process `json:"owner,omitzero"`
}

func stateFile() string { return inRunDir("state.json") }

func (s state) write() error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(stateFile(), append(raw, '\n'), 0o600)
}

// readState returns errDown when there is no cluster, or only what one left that
// has crashed.
func readState() (state, error) {
	raw, err := os.ReadFile(stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, errDown
	}
	var s state
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return state{}, fmt.Errorf("read %s: %w", stateFile(), err)
	}
	group, err := newCgroup()
	if err != nil {
		return state{}, err
	}
	// The PID may be another process's by now: that one would be in no group of ours.
	members, err := group.members()
	if err == nil && !slices.Contains(members, s.PID) {
		err = errDown
	}
	return s, err
}

// lock makes the run folder, and keeps other ups and downs out until unlock.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(runDir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: another up or down is at work: %w", runDir, err), dir.Close())
	}
	return func() {
		// Closing alone is not enough: a child between fork and exec has it too.
		_ = syscall.Flock(int(dir.Fd()), syscall.LOCK_UN)
		_ = dir.Close()
	}, nil
}
