// Package readfile reads configuration files, secrets and certificates with a limit of size.
// Except for [Limited], it reads regular files only, since a pipe or a device could block.
//
// Every package that reads a file whose name is in its settings uses it. It never writes,
// and imports no other package of this module.
package readfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Error says that a file exists and cannot be used. For a missing or unreadable file, the
// error is an [*fs.PathError].
type Error struct {
	Name    string // of the file
	Problem string // text that follows the name, such as "is not a regular file"
}

// Error returns the name and the problem.
func (e *Error) Error() string { return e.Name + " " + e.Problem }

// Regular returns the content of a regular file, or of the one to which a symbolic link
// points, such as a file of a mounted Secret. The limit is in bytes.
//
// The error is an [*Error] if the file is not regular or is larger than the limit, and an
// [*fs.PathError] if the system returned one.
func Regular(name string, limit int64) ([]byte, error) { return read(os.Stat, name, limit) }

// RegularNoFollow is [Regular] for a file that must not be a symbolic link, because a link
// could point to a file outside of its folder.
func RegularNoFollow(name string, limit int64) ([]byte, error) { return read(os.Lstat, name, limit) }

// Limited returns the content of a file of any type. It is for names on the command line,
// where the process substitution of a shell gives a pipe. The limit is in bytes.
//
// The error is an [*Error] if the file is larger than the limit, and an [*fs.PathError] if
// the system returned one.
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
	// The type is checked before opening, because opening a pipe waits for its writer.
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{name, "is not a regular file"}
	}
	return Limited(name, limit)
}
