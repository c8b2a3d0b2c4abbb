package main

import (
	"os"
	"os/exec"
	"testing"
)

func TestProcessEnds(t *testing.T) {
	t.Parallel()
	self, err := findProcess(os.Getpid())
	if err != nil || self.ended() {
		t.Errorf("this process, %+v: %v", self, err)
	}
	later := process{self.PID, self.Start + "0"}
	if !later.ended() {
		t.Error("another process with its PID is taken for it")
	}
	if (process{}).ended() {
		t.Error("nobody has ended")
	}
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child, err := findProcess(cmd.Process.Pid)
	if err != nil || child.ended() {
		t.Errorf("a child, %+v: %v", child, err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil || !child.ended() {
		t.Errorf("%v, and it counts as running", err)
	}
	if _, err := findProcess(child.PID); err == nil {
		t.Error("found one that has ended")
	}
}
