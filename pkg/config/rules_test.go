package config_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// Every variable and every contradiction is exported, but for those that are named here.
func TestExport(t *testing.T) {
	t.Parallel()
	rules := config.Export(registry.Kinds().Services())
	for _, v := range config.Variables(registry.Kinds().Services()) {
		if _, ok := rules.Variables[v.Name]; !ok {
			t.Errorf("%s is not exported", v.Name)
		}
	}
	for name, v := range rules.Variables {
		f, ok := rules.Formats[v.Format]
		if v.Format != "" && !ok {
			t.Errorf("%s: format %q is not exported", name, v.Format)
		}
		for _, pattern := range []string{f.Pattern, f.Not, f.Counts} {
			if _, err := regexp.Compile(pattern); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, c := range rules.Contradictions {
		names := []string{c.NotBelow}
		for name, pattern := range c.When {
			names = append(names, name)
			if _, err := regexp.Compile(pattern); err != nil {
				t.Errorf("%v: %v", c.Variables, err)
			}
		}
		for _, name := range names {
			if name != "" && !slices.Contains(c.Variables, name) {
				t.Errorf("%v: the condition on %s counts even where that is wrong by itself", c.Variables, name)
			}
		}
	}
	if len(rules.Contradictions) < 20 {
		t.Errorf("%d contradictions", len(rules.Contradictions))
	}
}

// The rules of each scheme stand for any name: none holds that of the example.
func TestExportSchemes(t *testing.T) {
	t.Parallel()
	named, err := registry.Kinds().Examples("named-service")
	if err != nil {
		t.Fatal(err)
	}
	rules := config.Export(registry.Kinds().Services(), named...)
	if len(rules.Schemes) != len(registry.Kinds().Schemes()) || len(rules.Schemes) < 5 || rules.MaxServices != 16 {
		t.Errorf("%d schemes of %d, at most %d services", len(rules.Schemes), len(registry.Kinds().Schemes()), rules.MaxServices)
	}
	for scheme, r := range rules.Schemes {
		for _, name := range []string{"CHECK", "READINESS", "PROBE_INTERVAL"} {
			if _, ok := r.Variables[name]; !ok {
				t.Errorf("%s: %s is not exported", scheme, name)
			}
		}
		for name, v := range r.Variables {
			if _, ok := rules.Formats[v.Format]; v.Format != "" && !ok {
				t.Errorf("%s: %s: format %q is not exported", scheme, name, v.Format)
			}
		}
		for _, c := range r.Contradictions {
			for _, name := range slices.Concat(c.Variables, slices.Collect(maps.Keys(c.When))) {
				if _, ok := r.Variables[name]; !ok {
					t.Errorf("%s: %v is about %s, which is no variable", scheme, c, name)
				}
			}
			if text := fmt.Sprint(c); strings.Contains(strings.ToUpper(text), "NAMED_SERVICE") || c.Refusal == "" {
				t.Errorf("%s: %s", scheme, text)
			}
		}
	}
	// What the URL says is no variable, and decides which rules there are.
	for scheme, want := range map[string]bool{"s3": true, "s3s": false} {
		got := slices.ContainsFunc(rules.Schemes[scheme].Contradictions, func(c config.Contradiction) bool { return c.Variables[0] == "CA_FILE" })
		if _, ok := rules.Schemes[scheme].Variables["SECURE"]; ok || got != want {
			t.Errorf("%s: SECURE is a variable: %t; CA_FILE is refused: %t, want %t", scheme, ok, got, want)
		}
	}
}

// What matches a pattern is accepted. The other direction holds by construction: the
// program refuses whatever does not match.
func FuzzPatterns(f *testing.F) {
	rules := config.Export(registry.Kinds().Services())
	for _, text := range []string{
		"db", "a.b_c-d", "10.0.0.1", "::1", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4", "1::1.2.3.256", "::01.2.3.4", "fe80::1%eth0", "[::1]:80", "[::1%25eth0]:80", "[db]:80", "[]:80", ":8008", ":0", "db:065535", "db:65536", "db:",
		"http://a", "HTTPS://A:443", "http://[::1]:80", "http://[::1%25e]", "http://[1.2.3.4]", "http://a:", "http://a/", "*", "http://u:p@a", "http://", "u:p@a:1/x",
		"http://a/%zz", "http://a/ b", "a/b://c", "http://a?", "http://a#", "https://u%40:p%zz@a", "/var/run", "./x", "a/-----BEGIN", "-----BEGIN/",
		"postgres://u:p@h:5432/d?sslmode=Require&sslcert=/a%20b", "postgresql:///d", "postgresql+asyncpg://u:p@h/d", "sqlite:///f", "postgis://h", "postgres://h?a&b=c&sslmode=on", "postgres://h?sslmode=require&schema=a%zz", "postgres://h?sslmodes=x", "postgres://h?ssl=x", "postgres://h/a/b", "postgres://h?sslmode=x", "postgres://h#", " postgres://h\n",
		"llama3:8b", "a,b", "0", "é", "a b", "-a", ".", "a\x7f",
	} {
		f.Add(text)
	}
	one := make(map[string]string) // variable of each format
	for name, v := range rules.Variables {
		if v.Format != "" {
			one[v.Format] = name
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for format, name := range one {
			f, v := rules.Formats[format], rules.Variables[name]
			if text == "" || v.List && strings.Contains(text, ",") || !v.Secret && (strings.TrimSpace(text) != text || control.MatchString(text)) {
				continue
			}
			written := text
			if v.Lower {
				written = strings.ToLower(text)
			}
			matches := regexp.MustCompile(f.Pattern).MatchString(written) && (f.Not == "" || !regexp.MustCompile(f.Not).MatchString(text))
			refused := slices.ContainsFunc(problems(t, name+"="+text), func(p config.Problem) bool { return p.Variable == name && !isContradiction(p, rules) })
			if matches == refused {
				t.Errorf("%s=%q: matches the pattern: %t, refused by the program: %t", name, text, matches, refused)
			}
		}
	})
}

var control = regexp.MustCompile(`\p{Cc}`)

func isContradiction(p config.Problem, rules config.Rules) bool {
	return slices.ContainsFunc(rules.Contradictions, func(c config.Contradiction) bool { return c.Refusal == p.Text }) ||
		strings.HasPrefix(p.Text, "same address")
}
