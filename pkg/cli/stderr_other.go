//go:build !linux

package cli

import "os"

// StandardError returns where the program writes its errors and its log.
func StandardError() *os.File { return os.Stderr }
