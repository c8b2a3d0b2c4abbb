package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-envparse"

	"github.com/reims/reims-health/pkg/readfile"
)

// maxFileSize bounds a .env file, in bytes.
const maxFileSize = 1 << 20

// readDotenv reads a .env file. It reports one problem per bad line, and quotes no line,
// since each may hold a secret.
func (l *loader) readDotenv(name string) map[string]string {
	content, err := readfile.Limited(name, maxFileSize)
	if err != nil {
		l.problem(envFile, err.Error())
		return nil
	}
	settings := make(map[string]string)
	for i, line := range strings.Split(strings.TrimPrefix(string(content), "\ufeff"), "\n") {
		variable, value, err := parseLine(line)
		if err != nil {
			l.problem(envFile, fmt.Sprintf("line %d of %s: %v", i+1, name, err))
			continue
		}
		if _, twice := settings[variable]; twice {
			l.warn(variable, fmt.Sprintf("set twice in %s; the last one counts", name))
		}
		if variable != "" {
			settings[variable] = value
		}
	}
	return settings
}

// parseLine parses one line. It returns an empty name for a blank line or a comment.
//
// A value that does not begin with a quote ends at the end of the line or before white
// space and #. Envparse would start a comment at each # and a string at each quote, and
// so shorten passwords that other readers of .env files accept whole.
func parseLine(line string) (variable, value string, err error) {
	name, rest, _ := strings.Cut(line, "=")
	rest = strings.TrimSpace(rest)
	literal := rest != "" && rest[0] != '\'' && rest[0] != '"' && !isComment(line)
	if literal {
		if rest = cutComment(rest); strings.ContainsFunc(rest, isControl) {
			return "", "", errors.New("the value holds a control character")
		}
		line = name + "="
	}
	settings, err := envparse.Parse(strings.NewReader(line))
	if err != nil {
		return "", "", lineError(err)
	}
	for variable, value = range settings {
		if literal {
			value = rest
		}
	}
	return variable, value, nil
}

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

func cutComment(value string) string {
	for i := range value {
		if value[i] == '#' && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			return strings.TrimSpace(value[:i])
		}
	}
	return value
}

func isControl(r rune) bool { return r < ' ' && r != '\t' }

// lineError replaces the texts of envparse, since those quote characters of the line.
func lineError(err error) error {
	switch {
	case isParseError(err, envparse.ErrMissingSeparator):
		return errors.New("no = in it")
	case isParseError(err, envparse.ErrUnmatchedSingle), isParseError(err, envparse.ErrUnmatchedDouble):
		return errors.New(`a quote is not closed: a value stands on one line (\n within double quotes is a line break)`)
	default:
		return errors.New("not NAME=value: a name has letters, digits and _; within double quotes, JSON's escapes hold (single quotes have none)")
	}
}

func isParseError(err, kind error) bool {
	var parse *envparse.ParseError
	return errors.As(err, &parse) && errors.Is(parse.Err, kind)
}
