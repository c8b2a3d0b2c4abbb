package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cacheDir is where what was built is kept for every checkout of this user.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "reims-health")
	return dir, os.MkdirAll(dir, 0o755)
}

// Lock takes the user's lock of that name, which ends with this process at the
// latest, and waits for it while another process has it.
func Lock(ctx context.Context, p *Progress, name string) (unlock func(), err error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	unlock = func() {
		// Closing alone is not enough: a child between fork and exec has f too.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}
	if tryLock(f) {
		return unlock, nil
	}
	done := p.start(task{what: "waiting for another process that installs or builds " + name})
	defer done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !tryLock(f) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			unlock()
			return nil, fmt.Errorf("wait for %s: %w", f.Name(), ctx.Err())
		}
	}
	return unlock, nil
}

func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// Root returns the folder of the product's go.mod, from the current folder up.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module "+productModule+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the go.mod of %s: none here or above", productModule)
		}
		dir = parent
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func execute(ctx context.Context, command []string) error {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w:\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}
