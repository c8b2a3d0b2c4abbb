package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var errUsage = errors.New("usage: bench run [-rounds N] [-only PARTS] -out FILE | report [-check] RESULTS PAGE | serve NAME [ADDRESS…]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	command := flag.NewFlagSet(args[0], flag.ContinueOnError)
	switch args[0] {
	case "run":
		rounds := command.Int("rounds", 10, "how often each candidate is measured")
		only := command.String("only", "handlers,probes,servers,rest", "what to measure")
		out := command.String("out", "", "the file to write")
		if err := command.Parse(args[1:]); err != nil || *out == "" {
			return errors.Join(err, errUsage)
		}
		return measure(ctx, *out, *rounds, *only)
	case "report":
		check := command.Bool("check", false, "write nothing; fail if the page is out of date")
		if err := command.Parse(args[1:]); err != nil || command.NArg() != 2 {
			return errors.Join(err, errUsage)
		}
		return report(command.Arg(0), command.Arg(1), *check)
	case "serve":
		if len(args) < 2 {
			return errUsage
		}
		return serve(ctx, args[1], args[2:], os.Stdin, os.Stderr)
	default:
		return errUsage
	}
}
