package golden_test

import (
	"flag"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/scenario"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// canary is a part of every secret in the tests.
const canary = "canary"

// compare holds a text against a golden file, to be rewritten with -update.
func compare(t *testing.T, name, got string) {
	t.Helper()
	if strings.Contains(got, canary) {
		t.Errorf("%s shows a secret:\n%s", name, got)
	}
	scenario.Golden(t, filepath.Join("testdata", name), []byte(got), *update)
}

// rule is what varies, and what is written in its place.
type rule struct {
	pattern *regexp.Regexp
	mask    string
}

// Each kind of text has its own rules, for what varies in one may be what another is
// held for: the duration 5s is a default in the configuration.
var (
	always = []rule{
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "<time>"},
		{regexp.MustCompile(`\b127\.0\.0\.1:\d{2,}`), "127.0.0.1:<port>"},
		{regexp.MustCompile(`/tmp/[\w.-]+/(\w+/)*`), "<dir>/"},
	}
	inAnswers = []rule{
		{regexp.MustCompile(`"(\w+_ms|version|total_commands|connected_clients|memory_usage|memory_peak|pool_size|pool_free|connections_\w+|app_connections_\w+)": ("[^"]+"|[0-9.e+-]+)`), `"$1": <value>`},
	}
	// What is not named here has the same value in each run.
	inMetrics = []rule{
		{regexp.MustCompile(`(?m)^((db|go|process|redis|minio|ollama)_\w+|reims_health_(app_db|db|last|probe|redis|schema)_\w+(\{.*\})?) \S+$`), "$1 <value>"},
		{regexp.MustCompile(`\b(version|goversion)="[^"]*"`), `$1="<version>"`},
		// A busy machine may starve the sidecar.
		{regexp.MustCompile(`(?m)^(reims_health_probes_total\{reason="starved",.*\}) \d+$`), "$1 0"},
	}
	inPages = []rule{
		{regexp.MustCompile(`-[0-9a-f]{12}\.`), "-<hash>."},
		{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "<clock>"},
		{regexp.MustCompile(`( d)="M[^"]*"`), `$1="<path>"`},
		{regexp.MustCompile(`(within|after|about|last|for) \d+(\.\d+)? (µs|ms|s|min)\b`), "$1 <duration>"},
		{regexp.MustCompile(`\d+ min ago`), "<duration> ago"},
		{regexp.MustCompile(`(<dt>(?:Latency|p50|p99|Slowest|Memory in use|Memory peak|Clients|Commands so far|Version|Last checked)</dt>\n<dd[^>]*>)[^<]*`), "$1<value>"},
		{regexp.MustCompile(`(<p class="max" aria-hidden="true">)[^<]*`), "$1<value>"},
		{regexp.MustCompile(`(?s)(<g class="hints">).*?(\n</g>)`), "$1<hints>$2"},
		{regexp.MustCompile(`(<span class="age">, )[^<]*`), "$1<age>"},
		{regexp.MustCompile(` title="\d+ \w+ \d{4} `), ` title="<date> `},
		// How much of a bar is filled: what else is connected to the server counts too.
		{regexp.MustCompile(`(</span> <b>)[^<]*`), "$1<value>"},
		{regexp.MustCompile(`<rect class="shade[^>]*>\n</rect>\n`), ""},
	}
	inLogs = []rule{
		{regexp.MustCompile(`\btime=\S+`), "time=<time>"},
		{regexp.MustCompile(`"(version|\w+_ms)":("[^"]*"|[0-9.]+)`), `"$1":<value>`},
		{regexp.MustCompile(`(?m)^.*starved of CPU.*\n`), ""}, // a busy machine may do that
	}
	inCommands = []rule{
		{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`), "<duration>"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "<time>"},
		{regexp.MustCompile(`PostgreSQL \d+(\.\d+)?`), "PostgreSQL <version>"},
	}
)

// mask replaces what differs from one run to the next.
func mask(text string, kinds ...[]rule) string {
	for _, rules := range append(kinds, always) {
		for _, r := range rules {
			text = r.pattern.ReplaceAllString(text, r.mask)
		}
	}
	return text
}
