package main

import (
	"fmt"
	"io"
)

// down ends the cluster and removes what it left, except its logs.
func down(out io.Writer) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	found, err := sweep()
	if err != nil {
		return err
	}
	if !found {
		_, err = fmt.Fprintln(out, "No cluster is up.")
		return err
	}
	_, err = fmt.Fprintf(out, "The cluster is down. Its logs are in %s.\n", inRunDir("log"))
	return err
}

// sweep ends all processes of the cluster. Its mounts, its network and what it had
// in memory end with them.
func sweep() (found bool, err error) {
	group, err := newCgroup()
	if err != nil {
		return false, err
	}
	if found, err = group.sweep(); err != nil {
		return found, err
	}
	return found, removeFiles()
}
