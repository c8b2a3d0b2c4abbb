// Command reims-health watches what the REIMS API depends on, from a sidecar in
// its Pod.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Set by the build, with -ldflags -X.
var (
	version = ""
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := run(ctx, os.Args[1:], os.Stdout, standardError())
	stop()
	os.Exit(code)
}
