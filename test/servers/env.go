package servers

import (
	"fmt"
	"os"
	"strings"
)

// Var is one environment variable.
type Var struct{ Name, Value string }

// WriteEnv writes the variables to a file that a shell can source and a reader
// of .env files understands, for the owner's eyes only: it holds passwords.
func WriteEnv(path string, vars []Var) error {
	var b strings.Builder
	for _, v := range vars {
		if strings.ContainsAny(v.Value, "\n\r\x00") {
			return fmt.Errorf("write %s: %s has a line break in its value", path, v.Name)
		}
		fmt.Fprintf(&b, "export %s=%s\n", v.Name, quote(v.Value))
	}
	temp := path + ".new" // renamed, so that nobody reads half a file
	if err := os.WriteFile(temp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// quote quotes for a shell. A single quote in the value becomes '"'"', since
// .env readers know both kinds of quotes but not the shell's backslash.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'"'"'`) + "'"
}
