// Command reims-health checks the services that the REIMS API depends on, from a
// sidecar in its Pod.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/reims/reims-health/pkg/cli"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// Set by the build, with -ldflags -X.
var (
	version = ""
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := cli.Run(ctx, registry.Kinds(), os.Args[1:], os.Stdout, cli.StandardError(), cli.Build{Version: version, Commit: commit})
	stop()
	os.Exit(code)
}
