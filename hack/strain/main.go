// Command strain puts the built program under strain, prints what it measured, and exits with 1 where that exceeds a
// bound. See docs/reliability.md.
//
//	strain soak -duration 20m PROGRAM            load, readers, peers and random faults together
//	strain starve -duration 60m -cpu 10 PROGRAM  next to no processor time (as root)
//	strain hostile -duration 3s PROGRAM          clients that mean harm, each kind for so long (as root)
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/strain"
)

const errUsage = command.Usage("go run ./hack/strain soak | starve | hostile [-duration 20m] [-cpu 10] PROGRAM")

func main() {
	command.Main("strain", func(ctx context.Context) error { return run(ctx, os.Args[1:]) })
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	o := strain.Options{Progress: func(line string) { fmt.Println(line) }}
	flags := flag.NewFlagSet("strain "+args[0], flag.ContinueOnError)
	flags.DurationVar(&o.Duration, "duration", 20*time.Minute, "how long")
	cpu := flags.Int("cpu", 10, "starve: thousandths of a processor")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 1 || o.Duration <= 0 || *cpu <= 0 {
		return errUsage
	}
	o.Program = flags.Arg(0)
	switch args[0] {
	case "soak":
		return strain.Soak(ctx, o, os.Stdout)
	case "starve":
		return strain.Starve(ctx, strain.StarveOptions{Options: o, CPU: *cpu}, os.Stdout)
	case "hostile":
		return strain.Hostile(ctx, o, os.Stdout)
	}
	return errUsage
}
