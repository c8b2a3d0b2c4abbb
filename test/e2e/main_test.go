package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/reims/reims-health/test/servers/install"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	// The tests here wait far more than they compute. The command line wins.
	_ = flag.Set("test.parallel", "6")
	flag.Parse()
	code, err := prepare(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// prepare builds the program, runs the tests, and removes what they shared.
func prepare(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "reims-health-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as another user
		return 0, err
	}
	binary = filepath.Join(dir, "reims-health")
	if err := install.Product(context.Background(), binary); err != nil {
		return 0, err
	}
	if err := readSources(); err != nil {
		return 0, err
	}
	bystanders.dir = dir
	defer func() { err = errors.Join(err, bystanders.close()) }()
	return run(), nil
}

// readSources reads what the program is made of, for go test's cache notices what
// a test itself has read, and nothing else.
func readSources() error {
	read := func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	}
	var errs []error
	for _, part := range []string{"cmd", "pkg", "migrations", "go.mod"} {
		errs = append(errs, filepath.WalkDir(filepath.Join("../..", part), read))
	}
	return errors.Join(errs...)
}
