package config

import (
	"fmt"
	"io"
	"os"
)

// readFile reads a file of at most limit bytes. The error names it.
func readFile(name string, limit int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(content)) > limit {
		return "", fmt.Errorf("%s is larger than %d KiB", name, limit>>10)
	}
	return string(content), nil
}
