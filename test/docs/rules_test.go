package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// How a command of a fenced block is held. TestCommands also reads each of them: its
// program, flags and names exist.
const (
	onMakeRun = "TestMakeRun runs it as printed"
	byHelm    = "TestHelmCommands has Helm itself read it, without a cluster"
	byCI      = "a stage of .ci/run"
	byTest    = "a test runs what it runs"
	parsed    = "TestCommands reads it, and nothing runs it"
)

// rule says how the commands are held that match a pattern. The first one that matches counts.
type rule struct {
	pattern string
	how     string
	// why says why a command is only parsed; tests names those that run the same elsewhere,
	// as "folder TestName".
	why   string
	tests []string
}

// rules are those of all commands of all pages. A command that matches none fails the test.
var rules = []rule{
	{pattern: `^make run$`, how: onMakeRun},
	{pattern: `^make help$`, how: onMakeRun},
	{pattern: `^make (build|verify|test|e2e)$`, how: byCI},
	{pattern: `^make detection TRIALS=50$`, how: parsed, why: "it measures for five minutes, and nothing depends on its numbers"},
	{pattern: `^make faults$`, how: parsed, why: "it breaks everything for four minutes; TestFaults of test/faults is its short form"},
	{pattern: `^make soak `, how: byTest, why: "it takes 20 minutes", tests: []string{"test/strain TestSoak"}},
	{pattern: `^make (starve|hostile)\b`, how: parsed, why: "it needs root and cgroups, and takes the whole machine"},
	{pattern: `^make (bench|update-benchmarks)$`, how: parsed, why: "it measures for minutes, and nothing depends on its numbers"},
	{pattern: `^make scale `, how: byTest, why: "it measures for minutes", tests: []string{"test/scale TestSmall", "test/scale TestSmallPooled", "test/scale TestSmallParts"}},
	{pattern: `^make e2e E2E_KUBECONFIG=`, how: parsed, why: "it needs a cluster of the reader's; without the variable it is a stage of .ci/run"},

	{pattern: `--url https://reims\.example`, how: byTest, why: "the address is the reader's", tests: []string{"test/check TestScripts"}},
	{pattern: `^(\w+=\S+ )*(bin/)?reims-health `, how: onMakeRun},
	{pattern: `^bin/run (stop|start|freeze|thaw) \w+$`, how: onMakeRun},
	{pattern: `^curl .*localhost:[89]008`, how: onMakeRun},
	{pattern: `^(mkdir|printf|export) `, how: onMakeRun},
	{pattern: `(?s)^for file in config/.*\| kubectl apply -f -$`, how: onMakeRun},

	{pattern: `^psql .* -f config/roles\.sql$`, how: byTest, why: "it changes the roles of a server", tests: []string{"test/roles TestRoles"}},

	{pattern: `^helm (install|upgrade) `, how: byHelm},
	{pattern: `^helm test `, how: byTest, why: "it needs a cluster", tests: []string{"test/cluster TestProfile"}},
	{pattern: `^helm rollback `, how: byTest, why: "it needs a cluster", tests: []string{"test/cluster TestUpgrade"}},
	{pattern: `^helm uninstall `, how: parsed, why: "it needs a cluster, and a release that is there"},
	{pattern: `^helm history `, how: parsed, why: "it needs a cluster, and changes nothing"},
	{pattern: `^kubectl `, how: parsed, why: "it needs a cluster; the names in it are those that the chart renders"},
	{pattern: `^(docker|kind) |do kind load `, how: parsed, why: "it needs a container engine"},
	{pattern: `^test/cluster/images\.sh `, how: byTest, why: "it makes images for minutes", tests: []string{"test/cluster TestProfile"}},
	{pattern: `^cosign `, how: parsed, why: "it asks a registry for a release"},
}

func ruleOf(command string) *rule {
	for i, r := range rules {
		if regexp.MustCompile(r.pattern).MatchString(command) {
			return &rules[i]
		}
	}
	return nil
}

// block is a fenced block of commands, of a page.
type block struct {
	page, lang string
	text       string
	commands   []shown
}

// shown is one command, and what the page shows as its output.
type shown struct{ command, output string }

var (
	anyFence = regexp.MustCompile("(?ms)^ {0,3}```.*?^ {0,3}```$")
	// indented are the commands of a block without a fence.
	indented = regexp.MustCompile(`(?m)^ {4,}((?:\$ )?(?:bin/)?(?:kubectl|helm|curl|make|reims-health|psql|go|docker|kind|cosign) .*)\n`)
)

// blocksOf returns the blocks of a page that have commands. Each line of sh is a command, but
// for those that go on with a backslash or a loop; in console and text a command is what
// follows "$ ", and the lines up to the next one are its output.
func blocksOf(page, text string) (all []block) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		b := block{page: page, lang: m[1], text: unindent(m[2])}
		if b.lang == "console" || b.lang == "text" {
			b.commands = session(b.text)
		} else {
			b.commands = script(b.text)
		}
		if len(b.commands) > 0 {
			all = append(all, b)
		}
	}
	for _, m := range indented.FindAllStringSubmatch(anyFence.ReplaceAllString(text, ""), -1) {
		all = append(all, block{page: page, lang: "indented", text: m[1], commands: []shown{{command: uncommented(strings.TrimPrefix(m[1], "$ "))}}})
	}
	return all
}

// unindent removes the white space before the first line from all lines: a block may stand
// in a list.
func unindent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	return strings.ReplaceAll("\n"+text, "\n"+indent, "\n")[1:]
}

func session(text string) (commands []shown) {
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, shown{command: uncommented(c)})
		} else if len(commands) > 0 {
			commands[len(commands)-1].output += line
		}
	}
	return commands
}

func script(text string) (commands []shown) {
	open := ""
	for line := range strings.Lines(text) {
		open += line
		trimmed := uncommented(open)
		if strings.HasSuffix(trimmed, `\`) || strings.HasPrefix(trimmed, "for ") && !regexp.MustCompile(`\bdone\b`).MatchString(trimmed) {
			continue
		}
		if trimmed != "" {
			commands = append(commands, shown{command: trimmed})
		}
		open = ""
	}
	return commands
}

// uncommented is a command without its comments. A # within quotes, or within a word, begins
// none.
func uncommented(command string) string {
	var b strings.Builder
	quote, comment, before := rune(0), false, ' '
	for _, c := range command {
		switch {
		case comment:
			comment = c != '\n'
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '#' && strings.ContainsRune(" \t\n", before):
			comment = true
		}
		if !comment {
			b.WriteRune(c)
		}
		before = c
	}
	return strings.TrimSpace(b.String())
}

// allBlocks returns those of all pages that instruct.
func allBlocks(t *testing.T) (all []block) {
	t.Helper()
	for _, page := range instructions(t) {
		all = append(all, blocksOf(page, read(t, page))...)
	}
	return all
}

// instructions are the pages whose commands a reader types: no history.
func instructions(t *testing.T) (paths []string) {
	t.Helper()
	for _, page := range append(pages(t), chartPages...) {
		if page != "CHANGELOG.md" && !strings.Contains(page, "/decisions/") {
			paths = append(paths, page)
		}
	}
	return paths
}

// Every command of every block is held in some way, and what is said to hold it is there.
func TestEveryCommandIsHeld(t *testing.T) {
	t.Parallel()
	ci, count := read(t, ".ci/run"), make(map[string]int)
	used := make(map[*rule]bool)
	for _, b := range allBlocks(t) {
		for _, c := range b.commands {
			r := ruleOf(c.command)
			if r == nil {
				t.Errorf("%s: no rule says how this command is held: %s", b.page, c.command)
				continue
			}
			used[r] = true
			count[r.how]++
			if r.how == byCI && !strings.Contains(ci, "\n"+c.command+"\n") && !strings.Contains(ci, "\n  "+c.command+"\n") {
				t.Errorf("%s: %s is no stage of .ci/run", b.page, c.command)
			}
		}
	}
	for i, r := range rules {
		if !used[&rules[i]] {
			t.Errorf("the rule %s is of no use any more", r.pattern)
		}
		if (r.how == parsed || r.how == byTest) && r.why == "" {
			t.Errorf("the rule %s does not say why nothing runs it as printed", r.pattern)
		}
		for _, name := range r.tests {
			if err := isTest(t, name); err != nil {
				t.Errorf("the rule %s: %v", r.pattern, err)
			}
		}
	}
	t.Logf("%v", count)
	if count[onMakeRun] < 15 || count[byHelm] < 4 {
		t.Errorf("few commands are run: %v", count)
	}
}

// isTest fails unless "folder TestName" is there.
func isTest(t *testing.T, name string) error {
	t.Helper()
	folder, test, _ := strings.Cut(name, " ")
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, folder+"/") && strings.Contains(read(t, path), "\nfunc "+test+"(t *testing.T) {") {
			return nil
		}
	}
	return fmt.Errorf("%s has no test %s", folder, test)
}

func TestCommandsOfBlocks(t *testing.T) {
	t.Parallel()
	page := "```sh\na b # c's d\n\n# d\ne \\\n  f\nfor x in y; do\n  z\ndone | g 'h # i'\n```\n1. x\n   ```console\n   $ j   # k\n   l\n   $ m\n   ```\n```text\nn\n```\n```yaml\n$ o\n```\n\n    $ make p\n    q\n"
	want := []block{
		{commands: []shown{{command: "a b"}, {command: "e \\\n  f"}, {command: "for x in y; do\n  z\ndone | g 'h # i'"}}},
		{commands: []shown{{"j", "l\n"}, {"m", ""}}},
		{commands: []shown{{"make p", ""}}},
	}
	got := blocksOf("p", page)
	if len(got) != len(want) {
		t.Fatalf("%d blocks: %+v", len(got), got)
	}
	for i := range want {
		if fmt.Sprint(got[i].commands) != fmt.Sprint(want[i].commands) {
			t.Errorf("block %d: %q, want %q", i, got[i].commands, want[i].commands)
		}
	}
	for _, unheld := range []string{"wget http://localhost", "sudo make install", "reims-healthy", "curl -s https://example.com/install.sh | sh"} {
		if r := ruleOf(unheld); r != nil {
			t.Errorf("%q is held by the rule %s", unheld, r.pattern)
		}
	}
}
