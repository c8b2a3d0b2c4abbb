// Command observe lets a person watch the alerts: it starts real servers, three sidecars,
// Prometheus and Alertmanager on loopback, breaks and mends one thing after the other, and
// prints what arrives. Ctrl-C ends it and removes everything.
//
//	observe [-factor 10] [-rounds 0] PROGRAM
//
// The rules are those in config/prometheus with every duration divided by the factor: with
// 10, a wait of a minute takes 6 seconds. -factor 1 is as it is in production, and slow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/observe"
)

func main() {
	factor := flag.Int("factor", 10, "divide all durations by this")
	rounds := flag.Int("rounds", 0, "end after so many rounds; 0 goes on until Ctrl-C")
	flag.Parse()
	command.Main("observe", func(ctx context.Context) error {
		if flag.NArg() != 1 || *factor < 1 {
			return command.Usage("observe [-factor 10] [-rounds 0] PROGRAM")
		}
		return run(ctx, flag.Arg(0), *factor, *rounds)
	})
}

func run(ctx context.Context, program string, factor, rounds int) (err error) {
	dir, err := os.MkdirTemp("", "reims-health-observe-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as another user
		return err
	}
	stage := new(observe.Stage)
	defer func() {
		say("Stopping everything.")
		err = errors.Join(err, stage.Close())
	}()
	say("Starting the servers, three sidecars, Prometheus and Alertmanager.")
	err = stage.Open(ctx, observe.Options{
		Dir: dir, Program: program, Factor: factor, Notify: tell, Progress: say,
	})
	if err == nil {
		introduce(stage, factor)
		err = (&show{stage, factor}).play(ctx, rounds)
	}
	if ctx.Err() != nil {
		return nil // interrupted, as is the way to end it
	}
	return err
}

func introduce(s *observe.Stage, factor int) {
	fmt.Printf(`
  Prometheus    %s/alerts
  Alertmanager  %s
`, s.Prometheus.Endpoint(), s.Alertmanager.Endpoint())
	for i, sidecar := range s.Sidecars {
		fmt.Printf("  sidecar %d     %s?verbose\n", i, sidecar.Endpoint())
	}
	fmt.Printf("\nDurations are divided by %d. Ctrl-C stops everything.\n\n", factor)
}

// tell prints an alert that arrived at a receiver.
func tell(e observe.Event) {
	if e.Resolved {
		say(fmt.Sprintf("    %s: resolved: %s", e.Receiver, e.Labels["alertname"]))
		return
	}
	say(fmt.Sprintf("    %s: %s\n%14s%s\n%14s%s", e.Receiver, e.String(),
		"", e.Annotations["description"], "", e.Annotations["runbook_url"]))
}

// say prints a line with the time. One write a line keeps those of several goroutines
// apart.
func say(line string) { fmt.Println(time.Now().Format(time.TimeOnly) + "  " + line) }
