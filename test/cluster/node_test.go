//go:build e2e

package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/test/program"
)

// process returns the id of the only process of a container. It works on our own
// node alone, whose processes this machine sees.
func process(status corev1.ContainerStatus) (pid int, err error) {
	_, id, found := strings.Cut(status.ContainerID, "://")
	if !found {
		return 0, fmt.Errorf("container %s has no id", status.Name)
	}
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, path := range groups {
		group, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(group, []byte(id)) { // it has ended, or is another's
			continue
		}
		return strconv.Atoi(filepath.Base(filepath.Dir(path)))
	}
	return 0, fmt.Errorf("no process is in the cgroup of container %s (%s)", status.Name, id)
}

// residentMB returns what a process has in memory.
func residentMB(pid int) (float64, error) {
	bytes, err := program.Status(pid, "VmRSS")
	return bytes / 1e6, err
}
