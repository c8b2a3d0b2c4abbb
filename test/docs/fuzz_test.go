package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// parses is what a package calls that reads what others have written.
	parses   = regexp.MustCompile(`\b(?:json\.(?:Unmarshal|NewDecoder)|xml\.(?:Unmarshal|NewDecoder)|pem\.Decode|http\.ReadResponse|url\.Parse\w*|tls\.X509KeyPair)\(`)
	fuzzTest = regexp.MustCompile(`(?m)^func Fuzz\w+\(f \*testing\.F\)`)
)

// unfuzzed are packages that parse only what is this project's own or the Kubernetes API's, or
// whose parsers the tests of another package call.
var unfuzzed = map[string]string{
	"pkg/dependency": "pkg/config: FuzzParseURL; the kinds: their replies",
	"pkg/migrate":    "the snapshot and the catalog are this project's own",
}

// Every package that parses what others have written has a fuzz test.
func TestParsersAreFuzzed(t *testing.T) {
	t.Parallel()
	parsers, fuzzed := map[string]bool{}, map[string]bool{}
	for _, path := range goFiles(t) {
		dir, text := filepath.ToSlash(filepath.Dir(path)), read(t, path)
		switch {
		case !strings.HasPrefix(dir, "pkg/"):
		case strings.HasSuffix(path, "_test.go"):
			fuzzed[dir] = fuzzed[dir] || fuzzTest.MatchString(text)
		case parses.MatchString(text):
			parsers[dir] = true
		}
	}
	for dir := range parsers {
		if _, excepted := unfuzzed[dir]; fuzzed[dir] == excepted {
			t.Errorf("%s parses: it has a fuzz test: %t; it is listed as an exception: %t", dir, fuzzed[dir], excepted)
		}
	}
	if len(parsers) < 10 {
		t.Errorf("parsers: %v", parsers)
	}
}
