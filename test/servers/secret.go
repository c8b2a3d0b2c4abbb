package servers

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secret returns the password that is kept in the server's folder under name; a
// new random one the first time.
func secret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	raw, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	value := rand.Text()
	return value, os.WriteFile(path, []byte(value+"\n"), 0o600)
}
