package observe_test

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/config/prometheus"
	"github.com/reims/reims-health/test/observe"
)

const factor = 20

func TestScale(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"        for: 1m\n":                          "        for: 3000ms\n",
		"    interval: 5m # slow":                    "    interval: 15000ms # slow",
		"  scrape_interval: 15s":                     "  scrape_interval: 750ms",
		"  group_wait: 30s":                          "  group_wait: 1500ms",
		"max_over_time(x[1d]) > sum(rate(y[10m]))":   "max_over_time(x[4320000ms]) > sum(rate(y[30000ms]))",
		"        # for: see below, in [1m or so]":    "        # for: see below, in [1m or so]",
		"equal: [namespace, service] for: 1m burn1h": "equal: [namespace, service] for: 1m burn1h",
	} {
		have, err := observe.Scale([]byte(text), factor)
		if err != nil || string(have) != want {
			t.Errorf("%q: %q, %v, want %q", text, have, err, want)
		}
	}
	if _, err := observe.Scale([]byte("for: 1h30m"), factor); err == nil {
		t.Error("a duration of two units is taken for one")
	}
}

// In the real rules, the waits, intervals and ranges are divided, all of them, and the
// rest is as it was.
func TestScaleOfTheRules(t *testing.T) {
	t.Parallel()
	paths, err := fs.Glob(prometheus.FS, "rules/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no rules", err)
	}
	for _, path := range paths {
		text, err := prometheus.FS.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		scaled, err := observe.Scale(text, factor)
		if err != nil {
			t.Fatal(err)
		}
		want, have := parse(t, path, text), parse(t, path, scaled)
		for g := range want.Groups {
			want.Groups[g].Interval = divided(t, want.Groups[g].Interval)
			for r := range want.Groups[g].Rules {
				rule := &want.Groups[g].Rules[r]
				rule.For = divided(t, rule.For)
				rule.Expr = regexp.MustCompile(`\[[^\]]+\]`).ReplaceAllStringFunc(rule.Expr, func(s string) string {
					if s == "[.]" || strings.Contains(s, "-") { // of a regular expression
						return s
					}
					return "[" + divided(t, strings.Trim(s, "[]")) + "]"
				})
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

func parse(t *testing.T, name string, text []byte) prometheus.File {
	t.Helper()
	file, err := prometheus.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// divided is the duration that is a factor shorter, with days as 24 hours.
func divided(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	days, is := strings.CutSuffix(text, "d")
	if is {
		text = days + "h"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	if is {
		d *= 24
	}
	return strconv.FormatInt((d/factor).Milliseconds(), 10) + "ms"
}
