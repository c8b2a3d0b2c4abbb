// Package command is what the programs below hack have in common: they end when they are
// interrupted, they exit with 1 after an error and with 2 after a wrong call, and those that
// generate files either write them or say which are out of date.
//
// No program of the product uses it.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Usage is the error of a call that is wrong: how it should be.
type Usage string

func (u Usage) Error() string { return "usage: " + string(u) }

// Main runs a program until it returns or is interrupted, and ends the process where it
// returned an error: with 2 for a [Usage], and else with 1. The context ends with SIGINT or
// SIGTERM; an error that comes after that counts as well.
func Main(name string, run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if errors.As(err, new(Usage)) {
		os.Exit(2)
	}
	os.Exit(1)
}

// Update writes a generated file, with its folder, unless it has the content already, and
// prints its path then. With check it writes nothing: a file that is out of date is an error,
// which names the make target that writes it.
func Update(path string, content []byte, check bool, target string) error {
	have, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(have, content):
		return nil
	case check:
		return fmt.Errorf("%s is out of date: run make %s", path, target)
	}
	fmt.Println(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
