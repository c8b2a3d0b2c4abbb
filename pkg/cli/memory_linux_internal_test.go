package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReleaseProgram shows that pages of the program's file are given back, and that the
// program goes on.
func TestReleaseProgram(t *testing.T) {
	before := residentOfFiles(t)
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}
	if after := residentOfFiles(t); after > before*3/4 {
		t.Errorf("%d kB of files are resident, of %d kB before", after, before)
	}
}

// residentOfFiles returns how much memory of files is resident, in kB.
func residentOfFiles(t *testing.T) (kilobytes int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "RssFile:")
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatalf("no RssFile in /proc/self/status: %v", err)
	}
	return kilobytes
}
