package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/logqueue"
)

func commandLine() *cobra.Command {
	return newRoot(new(atomic.Bool), registry.Kinds(), logqueue.New(new(bytes.Buffer)), Build{Version: "v1.2.3", Commit: "abc"})
}

// commands are the root and all below it.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

// run executes a command line that asks and probes nothing, since it is told to stop.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, err bytes.Buffer
	code = Run(ctx, registry.Kinds(), args, &out, &err, Build{Version: "v1.2.3", Commit: "abc"})
	return code, out.String(), err.String()
}

// Every command has examples, and each is a command line that it takes.
func TestExamples(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, cmd := range commands(commandLine()) {
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
			line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
			args := strings.Fields(line)
			if len(args) == 0 || args[0] != "reims-health" || !strings.HasPrefix(line, cmd.CommandPath()) && cmd.HasParent() && cmd.Name() != "help" {
				t.Errorf("%s: no example of it: %q", cmd.CommandPath(), line)
				continue
			}
			seen++
			root := commandLine()
			found, rest, err := root.Find(args[1:])
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil && found.Name() != "help" {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			if i := slices.Index(args, "check"); i == 1 && !strings.Contains(line, "-file ") { // more than its syntax is looked at
				if code, _, stderr := run(t, args[1:]...); code == exitUsage {
					t.Errorf("%s: %s", line, stderr)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d examples", seen)
	}
}

// The shell is told of every flag that takes a value what that can be: it never offers files
// where none is wanted.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands(commandLine()) {
		path := strings.Fields(cmd.CommandPath())[1:]
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Value.Type() == "bool" {
				return
			}
			code, stdout, _ := run(t, append(append([]string{cobra.ShellCompNoDescRequestCmd}, path...), "--"+f.Name, "")...)
			if files := strings.HasSuffix(f.Name, "-file"); code != exitGood || files != (stdout == ":0\n") {
				t.Errorf("%s --%s: exit code %d, %q", cmd.CommandPath(), f.Name, code, stdout)
			}
		})
	}
	for want, args := range map[string][]string{
		"all\ntest\ndetailed\nmonitor\n:4\n": {"check", "--mode", ""},
		"table\njson\n:4\n":                  {"check", "monitor", "--output", ""},
		"text\njson\n:4\n":                   {"config", "--output", ""},
		"redis,database\nredis,minio\n":      {"wait", "--for", "redis,"},
		"down\nstatus\nup\nverify\n:4\n":     {"migrate", ""},
		"detailed\nendpoints\nmonitor\n:4\n": {"check", ""},
		"--interval\n":                       {"check", "monitor", "--inter"},
		"bash\nfish\npowershell\nzsh\n:4\n":  {"completion", ""},
		"serve\n:4\n":                        {"help", "ser"},
		"http://localhost:8008\n:4\n":        {"check", "--url", ""},
		"10s\n30s\n1m\n5m\n:4\n":             {"migrate", "up", "--lock-wait", ""},
		"down\n:4\n":                         {"migrate", "do"},
		"endpoints\n:4\n":                    {"check", "en"},
		"500ms\n2s\n30s\n:4\n":               {"check", "monitor", "--interval", ""},
	} {
		if _, stdout, _ := run(t, append([]string{cobra.ShellCompNoDescRequestCmd}, args...)...); !strings.HasPrefix(stdout, want) {
			t.Errorf("%v: %q, want %q", args, stdout, want)
		}
	}
}

// Every flag that takes a duration reads it alike.
func TestDurations(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, cmd := range commands(commandLine()) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() != "duration" {
				return
			}
			seen++
			if !f.Hidden && !strings.Contains(f.Usage, "a bare number is seconds") {
				t.Errorf("%s --%s: the help does not tell what a bare number is", cmd.CommandPath(), f.Name)
			}
			for _, text := range []string{"30", "30s", "1m30s", "0.5", "500ms"} {
				if err := f.Value.Set(text); err != nil {
					t.Errorf("%s --%s %s: %v", cmd.CommandPath(), f.Name, text, err)
				}
			}
			if _, isDuration := f.Value.(*duration); !isDuration {
				return // check reads it later, with all of its problems
			}
			_ = f.Value.Set("90")
			if got := f.Value.String(); got != "1m30s" {
				t.Errorf("%s --%s 90 is %s", cmd.CommandPath(), f.Name, got)
			}
			if err := f.Value.Set("soon"); err == nil {
				t.Errorf("%s --%s soon is taken", cmd.CommandPath(), f.Name)
			}
		})
	}
	if seen < 15 {
		t.Errorf("%d flags take a duration", seen)
	}
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "30s": 30 * time.Second, "0.1": 100 * time.Millisecond, "1m": time.Minute, "0": 0, "-1": -time.Second,
	} {
		if d, err := parseDuration(text); err != nil || d != want {
			t.Errorf("%q is %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "soon", "5x", "NaN", "Inf", "1e999", "0x10", "30 s"} {
		if d, err := parseDuration(text); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
}

// What is misspelt is answered with what it may have been meant for, and is bad usage.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"chekc":                     `unknown command "chekc" for "reims-health": did you mean check?`,
		"status":                    "did you mean check?", // of the Pod, rather than of the migrations
		"monitor":                   "did you mean check monitor?",
		"check montior":             `for "reims-health check": did you mean monitor?`,
		"check endpoint":            "did you mean endpoints?",
		"migrate stauts":            "did you mean status?",
		"help chekc":                "did you mean check?",
		"help migrate dwon":         "did you mean down?",
		"completion bahs":           "did you mean bash?",
		"frobnicate":                "reims-health --help lists the commands",
		"check --urll x":            "unknown flag: --urll: did you mean --url?",
		"check monitor --intervl 3": "did you mean --interval?",
		"migrate up --dryrun":       "did you mean --dry-run?",
		"serve --frobnicate":        "reims-health serve --help lists the flags",
		"config extra":              `unknown command "extra" for "reims-health config": it takes no arguments`,
		"check --output jsn":        `--output: "jsn": want table or json`,
	} {
		if code, _, stderr := run(t, strings.Fields(text)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", text, code, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	_, command, _ := run(t, "version")
	code, flag, stderr := run(t, "--version")
	if code != exitGood || flag != command || !strings.HasPrefix(flag, "reims-health v1.2.3 (commit abc, go") || stderr != "" {
		t.Errorf("exit code %d: %q and %q, %s", code, flag, command, stderr)
	}
}

// A flag that would do nothing is refused with a sentence, whatever the command, and what the
// predecessor's script took is understood.
func TestUselessFlags(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"check --interval 3":                                   "--interval: does nothing in check: it is for check monitor",
		"check endpoints --interval 3":                         "--interval: does nothing in check endpoints: it is for check monitor",
		"check detailed --interval 3":                          "does nothing in check detailed",
		"check all --count 3":                                  "--count: does nothing in check endpoints",
		"check --mode test --count 3":                          "--count: does nothing in check endpoints",
		"check endpoints --direct":                             "--direct: does nothing in check endpoints",
		"check monitor --fleet http://h":                       "--fleet: does nothing in check monitor",
		"check --metrics-url http://h":                         "--metrics-url: does nothing in check: it is for check endpoints",
		"check --url https://h --insecure --ca-file /dev/null": "--ca-file: does not go with --insecure",
		"check monitor --direct":                               "--direct: does not go with check monitor",
		"check --direct --url http://h":                        "--url: does not go with --direct",
	} {
		if code, _, stderr := run(t, strings.Fields(text)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", text, code, stderr)
		}
	}
	for _, text := range []string{
		"check --mode test --interval 30", "check --mode all --interval 30", "check --mode detailed --interval 30",
		"check --mode monitor --interval 30", "check monitor --interval 30 --count 3", "check detailed --count 3", "check --direct --count 3",
		"check --url http://127.0.0.1:1 --timeout 1 monitor",
	} {
		if code, _, stderr := run(t, strings.Fields(text)...); code == exitUsage {
			t.Errorf("%s: %s", text, stderr)
		}
	}
}
