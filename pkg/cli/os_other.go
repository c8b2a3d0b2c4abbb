//go:build !linux

package cli

import (
	"context"
	"os"
)

// StandardError returns where the program writes its errors and its log.
func StandardError() *os.File { return os.Stderr }

// releaseStart does nothing: how to give memory back is known for Linux only.
func releaseStart(context.Context) error { return nil }
