//go:build !unix

package idle

const supported = false

func readable(uintptr) bool { return false }
