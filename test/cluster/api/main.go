// Command api stands in for the REIMS API in the tests on a cluster: it serves
// business requests and leaves a Service as a good application does. The same image
// also makes the load, so that the requests start where a Service's clients are.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "load" {
		return load(ctx, args[1:])
	}
	return serve(ctx, args)
}
