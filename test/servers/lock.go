package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// lock takes the user's lock of that name, which ends with this process at the
// latest, and waits for it while another process has it.
func lock(ctx context.Context, o Options, name string) (unlock func(), err error) {
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
	done := o.tick("waiting for another process that installs or builds " + name)
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
