package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// execute becomes the command, in the node's network and nowhere else: it sees this
// machine's files and processes.
func execute(command []string) error {
	s, err := readState()
	if err != nil {
		return err
	}
	server, err := s.apiServer()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"PATH":           s.Programs + ":" + os.Getenv("PATH"),
		"KUBECONFIG":     kubeconfig(),
		"E2E_HOST":       nodeIP,
		"E2E_AUDIT_LOG":  auditLog(),
		"E2E_API_SERVER": strconv.Itoa(server),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	args := append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", s.PID), "--"}, command...)
	return syscall.Exec(nsenter, args, os.Environ())
}

// apiServer returns the PID of the cluster's, as this machine counts.
func (s state) apiServer() (int, error) {
	group, err := newCgroup()
	if err != nil {
		return 0, err
	}
	members, err := group.members()
	if err != nil {
		return 0, err
	}
	for _, pid := range members {
		program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && filepath.Base(program) == apiserver().name && filepath.Dir(program) == s.Programs {
			return pid, nil
		}
	}
	return 0, errors.New("the cluster's API server does not run")
}
