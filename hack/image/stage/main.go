// Command stage writes the files of the image into a folder, for the Dockerfile to
// copy: the same files that hack/image packs.
//
//	stage FOLDER PROGRAM
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reims/reims-health/hack/image/rootfs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: stage FOLDER PROGRAM")
	}
	folder, program := args[0], args[1]
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	for _, file := range rootfs.Files(filepath.Base(program), content) {
		path := filepath.Join(folder, file.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.Content, file.Mode()); err != nil {
			return err
		}
	}
	return nil
}
