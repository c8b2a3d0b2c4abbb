// Command reims-health-fleet asks the sidecars of all workloads, and tells what is wrong,
// for how many Pods, and where.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/fleet/program"
)

// Set by the build, with -ldflags -X.
var (
	version = ""
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := program.Run(ctx, os.Args[1:], config.Environ(), os.Stdout, os.Stderr, program.Build{Version: version, Commit: commit})
	stop()
	os.Exit(code)
}
