package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// The units of results.
const (
	unitTime       = "ns/op"
	unitAllocs     = "allocs/op"
	unitRate       = "req/s"
	unitP50        = "p50-ns"
	unitP99        = "p99-ns"
	unitP999       = "p99.9-ns"
	unitCPU        = "cpu-ns/op"        // of the candidate
	unitServerCPU  = "server-cpu-ns/op" // of the server that it asks
	unitStatements = "statements/op"
	unitTrips      = "roundtrips/op"
	unitBytes      = "wire-B/op"
	unitAnswered   = "answered-%" // within the kubelet's timeout
	unitResident   = "resident-B"
	unitOwn        = "own-B"
	unitCore       = "core-%"
	unitBinary     = "binary-B"
	unitLive       = "live-ns"
	unitReady      = "ready-ns"
)

// results writes what is measured in the format of Go's benchmarks.
type results struct {
	out  io.Writer
	err  error
	show io.Writer // for people
	rand *rand.Rand
}

// value is one figure.
type value struct {
	figure float64
	unit   string
}

// add writes one line: a part, and then pairs that say what was measured.
func (r *results) add(part string, pairs []string, values ...value) {
	var line strings.Builder
	line.WriteString("Benchmark" + name(part, pairs...) + " 1")
	for _, v := range values {
		fmt.Fprintf(&line, " %.5g %s", v.figure, v.unit)
	}
	r.line(line.String())
}

// name returns a benchmark's name: a part, and then pairs that say what was measured.
func name(part string, pairs ...string) string {
	var text strings.Builder
	text.WriteString(part)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&text, "/%s=%s", pairs[i], strings.ReplaceAll(pairs[i+1], "/", "_"))
	}
	return text.String()
}

func (r *results) line(text string) {
	if _, err := fmt.Fprintln(r.out, text); err != nil && r.err == nil {
		r.err = err
	}
}

// say shows people how far it is.
func (r *results) say(format string, args ...any) {
	fmt.Fprintf(r.show, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// shuffled returns the numbers below n in random order.
func (r *results) shuffled(n int) []int { return r.rand.Perm(n) }

// describe writes where and with what it was measured.
func (r *results) describe() {
	r.line("goos: " + runtime.GOOS)
	r.line("goarch: " + runtime.GOARCH)
	r.line("cpu: " + cpu())
	r.line(fmt.Sprintf("processors: %d", runtime.NumCPU()))
	r.line("go: " + runtime.Version())
	r.line("kernel: " + firstLine("/proc/sys/kernel/osrelease"))
	r.line("date: " + time.Now().UTC().Format(time.DateOnly))
	r.line("load-before: " + firstLine("/proc/loadavg"))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			for name, path := range map[string]string{
				controllerRuntime: "sigs.k8s.io/controller-runtime", helloFresh: "github.com/hellofresh/health-go/v5",
				alexLiesenfeld: "github.com/alexliesenfeld/health",
			} {
				if dependency.Path == path {
					r.line(name + ": " + dependency.Version)
				}
			}
		}
	}
	r.line("postgres_exporter: " + packageVersion("prometheus-postgres-exporter"))
	r.line("redis_exporter: " + packageVersion("prometheus-redis-exporter"))
	r.line("postgresql: " + packageVersion("postgresql"))
	r.line("redis: " + packageVersion("redis-server"))
	r.line("Unit " + unitRate + " better=higher")
	r.line("Unit " + unitAnswered + " better=higher")
	r.line("")
}

// packageVersion returns the version of a Debian package, or that it is not known.
func packageVersion(name string) string {
	text, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "unknown"
	}
	return string(text)
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(after, "\n")
	return strings.Trim(line, "\t :")
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
