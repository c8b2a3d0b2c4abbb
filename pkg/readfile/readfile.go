// Package readfile reads configuration files, secrets and certificates safely: never more
// than a limit, and unless asked for never a pipe or a device, which could block.
//
// Every package that reads a file by a name from its settings uses it. It writes nothing
// and knows no other package of this module.
package readfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Error says that a file exists and cannot be used. A file that is missing or unreadable
// is an [*fs.PathError] instead.
type Error struct {
	Name    string // of the file
	Problem string // what is wrong, to follow a name: "is not a regular file"
}

// Error returns the name and the problem.
func (e *Error) Error() string { return e.Name + " " + e.Problem }

// Regular returns the content of a regular file, or of the one that a symbolic link leads
// to, such as a file of a mounted Secret. The limit is in bytes.
//
// Errors: [*Error] for anything that is not a regular file, and for a file that is larger
// than the limit; [*fs.PathError] from the system.
func Regular(name string, limit int64) ([]byte, error) { return read(os.Stat, name, limit) }

// RegularNoFollow is [Regular] for a file that must not be a symbolic link, because a
// link could lead out of its folder.
func RegularNoFollow(name string, limit int64) ([]byte, error) { return read(os.Lstat, name, limit) }

// Limited returns the content of a file of any kind. It is for names that a person gives
// at a terminal, where a shell's process substitution makes a pipe. The limit is in bytes.
//
// Errors: [*Error] for a file that is larger than the limit; [*fs.PathError] from the
// system.
func Limited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// The reported size is not used: it is 0 in /proc, and the file may be growing.
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, &Error{name, fmt.Sprintf("is larger than %d KiB", limit>>10)}
	}
	return content, nil
}

func read(stat func(string) (fs.FileInfo, error), name string, limit int64) ([]byte, error) {
	// Checked before opening, because opening a pipe waits for its writer.
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{name, "is not a regular file"}
	}
	return Limited(name, limit)
}
