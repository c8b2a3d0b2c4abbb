package servers

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unprivileged returns the account for servers that refuse to run as root, or
// nil when this process is not root and they can run as it does.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("find an account other than root: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// openFolder returns the folder for a server that may have to run under another
// account: dir itself, or, when a parent of it is closed to others (a checkout
// below /root), one below /var/tmp that is always the same for this dir.
func openFolder(dir string) (string, error) {
	account, err := unprivileged()
	if err != nil || account == nil || dir == "" {
		return dir, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if !reachable(filepath.Dir(dir)) {
		dir = fmt.Sprintf("/var/tmp/reims-health-%x", sha256.Sum256([]byte(dir)))[:40]
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, owned(dir, account)
}

// give hands files or folders to the account the server runs under.
func (p *Process) give(paths ...string) error {
	if p.account == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file for the server's account alone.
func (p *Process) writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return p.give(path)
}

// owned guards against a folder that another user planted in /var/tmp.
func owned(dir string, account *syscall.Credential) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || (stat.Uid != account.Uid && stat.Uid != uint32(os.Geteuid())) {
		return fmt.Errorf("%s belongs to somebody else: remove it", dir)
	}
	return nil
}

// reachable tells whether every user may enter dir.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
