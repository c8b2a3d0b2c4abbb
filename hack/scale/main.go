// Command scale measures what many sidecars cost: so many probing loops in one process, against
// real servers on loopback. It prints tables and ends. See docs/scale.md.
//
//	scale [-n 500] [-duration 45s] [-pgbouncer] [-outages 10s,0s]
//	scale -parts 10,1000
//
// With -parts it measures instead what each part of the database's check costs beside so many
// connections.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/scale"
	"github.com/reims/reims-health/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	say := func(line string) { fmt.Println(line) }
	o := scale.Options{Progress: say, Settle: 20 * time.Second, Ramp: 20 * time.Millisecond, Outages: []time.Duration{10 * time.Second, 0}}
	flag.IntVar(&o.Loops, "n", 500, "number of sidecars")
	flag.DurationVar(&o.Steady, "duration", 45*time.Second, "how long to measure while all is well")
	flag.BoolVar(&o.Pooled, "pgbouncer", false, "put a PgBouncer between the sidecars and PostgreSQL")
	flag.Func("outages", "for how long PostgreSQL is stopped, each in turn, such as 10s,0s", func(text string) (err error) {
		o.Outages, err = list(text, time.ParseDuration)
		return err
	})
	var backends []int
	flag.Func("parts", "measure each part of the database's check beside so many connections, such as 10,1000", func(text string) (err error) {
		backends, err = list(text, strconv.Atoi)
		return err
	})
	flag.Parse()
	if flag.NArg() > 0 || o.Loops < 1 || o.Steady < time.Second {
		flag.Usage()
		return errors.New("unexpected arguments")
	}
	for _, n := range backends {
		err := servers.UseDir(func(dir string) error {
			o.Dir = dir
			report, err := scale.MeasureParts(ctx, o, n)
			if err != nil {
				return err
			}
			return report.Print(os.Stdout)
		})
		if err != nil {
			return err
		}
	}
	if backends != nil {
		return nil
	}
	return servers.UseDir(func(dir string) error {
		o.Dir = dir
		report, err := scale.Run(ctx, o)
		if err != nil {
			return err
		}
		return report.Print(os.Stdout)
	})
}

// list reads values that are separated by commas; an empty text is none.
func list[T any](text string, parse func(string) (T, error)) (all []T, err error) {
	for field := range strings.SplitSeq(text, ",") {
		if field == "" {
			continue
		}
		value, err := parse(field)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}
