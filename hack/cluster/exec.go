package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// execute becomes the command, in the node's network and nowhere else: it sees this
// machine's files and processes.
func execute(command []string) error {
	s, err := readState()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"PATH":          s.Programs + ":" + os.Getenv("PATH"),
		"KUBECONFIG":    kubeconfig(),
		"E2E_HOST":      nodeIP,
		"E2E_AUDIT_LOG": auditLog(),
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
