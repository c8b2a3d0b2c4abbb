package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/reims/reims-health/test/program"
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
	if binary, err = program.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	bystanders.dir = dir
	defer func() { err = errors.Join(err, bystanders.close()) }()
	return run(), nil
}
