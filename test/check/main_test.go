package check_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/reims/reims-health/test/program"
)

var (
	update = flag.Bool("update", false, "write the output that the scripts want anew")
	// binary is the program under test, built once.
	binary string
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // the tests wait more than they compute
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
	dir, err := os.MkdirTemp("", "reims-health-check-")
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
	shared.dir = dir
	defer func() { err = errors.Join(err, shared.close()) }()
	return run(), nil
}
