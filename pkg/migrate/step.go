package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Step is one migration.
type Step struct {
	Version int64
	Name    string // without number and suffix
	File    string
}

// readSteps returns the steps in order. The numbers must be 1, 2, 3, …: with a gap, a
// step that is merged late would come after one that was applied before it.
func readSteps(fsys fs.FS) ([]Step, error) {
	files, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, err
	}
	steps := make([]Step, 0, len(files))
	for _, file := range files {
		number, name, _ := strings.Cut(strings.TrimSuffix(file, ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || name == "" {
			return nil, fmt.Errorf("%s is not named NNNNN_name.sql", file)
		}
		steps = append(steps, Step{Version: version, Name: name, File: path.Base(file)})
	}
	slices.SortFunc(steps, func(a, b Step) int { return int(a.Version - b.Version) })
	for i, s := range steps {
		if s.Version != int64(i+1) {
			return nil, fmt.Errorf("%s: its number should be %05d, for numbers have no gap and come once", s.File, i+1)
		}
	}
	if len(steps) == 0 {
		return nil, errors.New("there is none")
	}
	return steps, nil
}

// Annotations of goose.
const (
	annotation = "-- +goose"
	markUp     = annotation + " Up"
	markDown   = annotation + " Down"
)

// section returns the part of a file that leads up, or down, and the number of the
// line it begins on.
func section(fsys fs.FS, file string, up bool) (text string, line int, err error) {
	content, err := fs.ReadFile(fsys, file)
	if err != nil {
		return "", 0, err
	}
	head, rest, _ := strings.Cut(string(content), markUp)
	upward, downward, _ := strings.Cut(rest, markDown)
	if up {
		return upward, 1 + strings.Count(head, "\n"), nil
	}
	return downward, 1 + strings.Count(head+upward, "\n"), nil
}

// plainSQL returns the SQL without goose's annotations.
func plainSQL(section string) string {
	lines := strings.Split(section, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, annotation) })
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
