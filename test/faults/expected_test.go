package faults_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/registry"
)

// expectations is what the sidecar must say of each fault of each kind of service: a reason,
// by which the service is unhealthy; degraded:reason; healthy; or - where the fault has no
// meaning for the kind, for the reason in meaningless.
const expectations = `
fault                       | postgres                      | redis                         | s3              | ollama              | http                | tcp                 | grpc
refused                     | refused                       | refused                       | refused         | refused             | refused             | refused             | refused
reset in the middle         | reset                         | reset                         | reset           | reset               | reset               | -                   | reset
half-open                   | healthy                       | healthy                       | healthy         | healthy             | healthy             | -                   | healthy
black hole                  | timeout                       | timeout                       | timeout         | timeout             | timeout             | timeout             | timeout
slow, below the timeout     | healthy                       | healthy                       | healthy         | healthy             | healthy             | -                   | healthy
slow, at the timeout        | timeout                       | timeout                       | timeout         | timeout             | timeout             | -                   | timeout
slow, above the timeout     | timeout                       | timeout                       | timeout         | timeout             | timeout             | -                   | timeout
trickled bytes              | timeout                       | timeout                       | timeout         | timeout             | timeout             | -                   | timeout
cut after 40 bytes          | reset                         | reset                         | reset           | reset               | reset               | -                   | reset
garbage                     | protocol                      | protocol                      | protocol        | protocol            | protocol            | -                   | protocol
frozen                      | timeout                       | timeout                       | timeout         | timeout             | timeout             | healthy             | timeout
killed                      | refused                       | refused                       | refused         | refused             | refused             | refused             | refused
out of connections          | degraded:too_many_connections | degraded:too_many_connections | timeout         | timeout             | timeout             | timeout             | timeout
read-only or disk full      | read_only                     | degraded:read_only            | degraded:quorum | -                   | -                   | -                   | -
password changed            | degraded:auth                 | degraded:auth                 | degraded:auth   | -                   | status              | -                   | -
certificate ended           | certificate_expired           | certificate_expired           | certificate_expired | certificate_expired | certificate_expired | certificate_expired | certificate_expired
certificate of another name | tls                           | tls                           | tls             | tls                 | tls                 | tls                 | tls
name does not resolve       | dns                           | dns                           | dns             | dns                 | dns                 | dns                 | dns
wrong server                | protocol                      | protocol                      | protocol        | protocol            | protocol            | healthy             | protocol
balancer without a server   | reset                         | reset                         | protocol        | protocol            | status              | healthy             | protocol
`

// meaningless says why a cell has no meaning. A kind stands for all of its cells that have no
// line of their own.
var meaningless = map[string]string{
	"tcp":                           "the check reads nothing and keeps no connection: the kernel accepts, and that is all it asks for",
	"tcp/read-only or disk full":    "the check asks for no answer",
	"tcp/password changed":          "the check does not log in",
	"ollama/read-only or disk full": "nothing that the check asks for is written",
	"ollama/password changed":       "Ollama has no login",
	"http/read-only or disk full":   "a server says it by a status, as any other failure",
	"grpc/read-only or disk full":   "a server says it by NOT_SERVING, as any other failure",
	"grpc/password changed":         "the health service of gRPC has no login",
}

// verdict is what the sidecar must say.
type verdict struct{ status, reason string }

// table is the parsed form of expectations.
type table struct {
	kinds, faults []string
	cells         map[string]verdict // by kind/fault; those without a meaning are not there
}

func parseTable(t *testing.T) table {
	t.Helper()
	parsed := table{cells: map[string]verdict{}}
	for line := range strings.Lines(strings.TrimSpace(expectations)) {
		fields := regexp.MustCompile(` *\| *`).Split(strings.TrimSpace(line), -1)
		if parsed.kinds == nil {
			parsed.kinds = fields[1:]
			continue
		}
		if len(fields) != len(parsed.kinds)+1 {
			t.Fatalf("the line %q has %d fields, want %d", line, len(fields), len(parsed.kinds)+1)
		}
		parsed.faults = append(parsed.faults, fields[0])
		for i, kind := range parsed.kinds {
			status, reason, degraded := strings.Cut(fields[i+1], ":")
			switch {
			case status == "-" || status == "healthy" || degraded:
			default:
				status, reason = "unhealthy", status
			}
			if status != "-" {
				parsed.cells[kind+"/"+fields[0]] = verdict{status, reason}
			}
		}
	}
	return parsed
}

// why returns why a cell has no meaning.
func why(kind, fault string) string {
	if text := meaningless[kind+"/"+fault]; text != "" {
		return text
	}
	return meaningless[kind]
}

// Every kind has a column and every fault a row, and a cell that is left out says why.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	parsed := parseTable(t)
	var kinds []string
	for _, k := range registry.Kinds() {
		kinds = append(kinds, k.Name)
	}
	if !slices.Equal(parsed.kinds, kinds) {
		t.Errorf("the table has the kinds %q, and there are %q", parsed.kinds, kinds)
	}
	var known []string
	for _, f := range faults() {
		known = append(known, f.name)
	}
	if !slices.Equal(parsed.faults, known) {
		t.Errorf("the table has the faults %q, and there are %q", parsed.faults, known)
	}
	for _, kind := range parsed.kinds {
		for _, fault := range parsed.faults {
			if _, ok := parsed.cells[kind+"/"+fault]; !ok && why(kind, fault) == "" {
				t.Errorf("%s of %s is left out, and nothing says why", fault, kind)
			}
		}
	}
}
