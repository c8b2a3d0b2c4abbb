//go:build !linux

package main

import "os"

// standardError returns where the program writes its errors and its log.
func standardError() *os.File { return os.Stderr }
