package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

//go:embed benchmarks.md.tmpl
var page string

// report writes the page of the results in the file, or says that it is another one.
func report(results, path string, check bool) error {
	m, err := read(results)
	if err != nil {
		return err
	}
	var want bytes.Buffer
	if err := m.write(&want); err != nil {
		return err
	}
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want.Bytes()) {
		return nil
	}
	if check {
		return errors.New(path + " is out of date: run make update-benchmarks")
	}
	return os.WriteFile(path, want.Bytes(), 0o644)
}

// measured is what a file of results holds: the figures of each benchmark in the order of the
// rounds, and what the file says of the machine.
type measured struct {
	values map[string]map[string][]float64 // by benchmark and unit
	config map[string]string
	used   map[string]bool // benchmarks that the page shows
	err    error           // of the first figure that is missing
}

func read(path string) (*measured, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	m := &measured{values: map[string]map[string][]float64{}, config: map[string]string{}, used: map[string]bool{}}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), ": "); found && !strings.HasPrefix(line, "Benchmark") {
			m.config[key] = value
		}
	}
	reader := benchfmt.NewReader(bytes.NewReader(text), path)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			name := string(record.Name)
			if m.values[name] == nil {
				m.values[name] = map[string][]float64{}
			}
			for _, v := range record.Values {
				figure, unit := v.Value, v.Unit
				if v.OrigUnit != "" { // it turns nanoseconds into seconds
					figure, unit = v.OrigValue, v.OrigUnit
				}
				m.values[name][unit] = append(m.values[name][unit], figure)
			}
		}
	}
	return m, reader.Err()
}

// write renders the page.
func (m *measured) write(w io.Writer) error {
	t, err := template.New("benchmarks").Funcs(template.FuncMap{
		"config": m.configured, "time": m.duration, "number": m.number, "ratio": m.ratio, "exact": m.exact,
		"megabytes": m.megabytes, "handler": handlerName, "server": serverName, "probe": probeName, "plus": add,
		"counts": connectionCounts, "list": func(items ...string) []string { return items },
	}).Parse(page)
	if err != nil {
		return err
	}
	if err := t.Execute(w, nil); err != nil {
		return err
	}
	return m.err
}

// The names of benchmarks, for the template.
func handlerName(of, path string) string { return name(partHandler, "of", of, "path", path) }

func serverName(of, services string, connections int) string {
	return name(partServer, "of", of, "services", services, "connections", strconv.Itoa(connections))
}

func probeName(of, service string) string { return name(partProbe, "of", of, "service", service) }

func (m *measured) configured(key string) string {
	value, found := m.config[key]
	if !found {
		m.lacks(key, "")
	}
	return value
}

// sample returns the figures of one benchmark.
func (m *measured) sample(benchmark, unit string) []float64 {
	m.used[benchmark] = true
	values := m.values[benchmark][unit]
	if len(values) == 0 {
		m.lacks(benchmark, unit)
		return []float64{math.NaN()}
	}
	return values
}

func (m *measured) lacks(benchmark, unit string) {
	if m.err == nil {
		m.err = fmt.Errorf("the results lack %s %s", benchmark, unit)
	}
}

// summary is the median and how far the interval of 95 % around it reaches, as benchstat
// has it.
func summary(values []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), 0.95)
}

// interval renders a summary, scaled and with so many digits that count.
func interval(s benchmath.Summary, scale float64, unit string) string {
	text := short(s.Center*scale) + unit
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		return text
	}
	return fmt.Sprintf("%s (%s to %s)", text, short(s.Lo*scale), short(s.Hi*scale))
}

// short renders three digits that count.
func short(f float64) string {
	if f >= 1000 {
		text := strconv.FormatFloat(math.Round(f/100)*100, 'f', 0, 64)
		if f < 10000 {
			text = strconv.FormatFloat(math.Round(f/10)*10, 'f', 0, 64)
		}
		return text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return strconv.FormatFloat(f, 'f', max(0, 2-int(math.Floor(math.Log10(max(f, 0.01))))), 64)
}

func (m *measured) duration(benchmark, unit string) string {
	s := summary(m.sample(benchmark, unit))
	switch {
	case s.Center >= float64(patience):
		return "> 1 s"
	case s.Center >= 1e6:
		return interval(s, 1e-6, " ms")
	case s.Center >= 1e4:
		return interval(s, 1e-3, " µs")
	default:
		return interval(s, 1, " ns")
	}
}

func (m *measured) number(benchmark, unit string) string {
	return interval(summary(m.sample(benchmark, unit)), 1, "")
}

func (m *measured) megabytes(benchmark, unit string) string {
	return interval(summary(m.sample(benchmark, unit)), 1e-6, "")
}

// exact is for counts that are the same each time.
func (m *measured) exact(benchmark, unit string) string {
	return strconv.FormatFloat(math.Round(summary(m.sample(benchmark, unit)).Center), 'f', 0, 64)
}

// ratio compares two benchmarks round by round: those of one round were measured one shortly after
// the other, so that what else the machine did met both.
func (m *measured) ratio(benchmark, to, unit string) string {
	a, b := m.sample(benchmark, unit), m.sample(to, unit)
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return interval(summary(ratios), 1, "")
}

// add returns the sum of two counts.
func add(a, b string) string {
	x, _ := strconv.Atoi(a) // both are from exact
	y, _ := strconv.Atoi(b)
	return strconv.Itoa(x + y)
}
