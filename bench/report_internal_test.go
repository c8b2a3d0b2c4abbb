package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReport renders the page from the results that it shows, and refuses results that lack a figure.
func TestReport(t *testing.T) {
	if err := report("results.txt", "../docs/benchmarks.md", true); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile("results.txt")
	if err != nil {
		t.Fatal(err)
	}
	less := filepath.Join(t.TempDir(), "results.txt")
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "BenchmarkRest") {
			kept = append(kept, line)
		}
	}
	if err := os.WriteFile(less, []byte(strings.Join(kept, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report(less, filepath.Join(t.TempDir(), "page.md"), false); err == nil || !strings.Contains(err.Error(), "Rest") {
		t.Errorf("results with no figures of the rest: %v", err)
	}
}

func TestSummary(t *testing.T) {
	m := &measured{used: map[string]bool{}, values: map[string]map[string][]float64{
		"A": {unitTime: {100, 110, 120, 130, 140, 150, 160, 170, 180, 190}},
		"B": {unitTime: {50, 55, 60, 65, 70, 75, 80, 85, 90, 95}},
		"C": {unitTime: {1e9, 1e9, 1e9}},
	}}
	for got, want := range map[string]string{
		m.ratio("A", "B", unitTime): "2.00 (2.00 to 2.00)",
		m.duration("A", unitTime):   "145 ns (110 to 180)",
		m.duration("C", unitTime):   "> 1 s",
		short(12345):                "12,300",
		short(1234):                 "1,230",
		short(0.1234):               "0.123",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if m.number("D", unitTime); m.err == nil {
		t.Error("a benchmark that is not there was not missed")
	}
}
