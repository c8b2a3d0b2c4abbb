package cli

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/readfile"
)

// The modes. The predecessor's script called the first one test as well.
const (
	modeAll      = "all"
	modeDetailed = "detailed"
	modeMonitor  = "monitor"
	modeTest     = "test"
)

// checkFlags are the flags as given. They are parsed together, so that all problems are
// reported at once.
type checkFlags struct {
	from *source

	mode, url, metricsURL, output, tokenFile, caFile, compare string
	timeout, interval, count, maxAge                          rawFlag
	insecure, direct                                          bool
}

// rawFlag is a flag whose value is parsed later. Its kind is the type shown in the help.
type rawFlag struct{ value, kind string }

// Set implements [pflag.Value].
func (f *rawFlag) Set(value string) error { f.value = value; return nil }

// String implements [pflag.Value].
func (f *rawFlag) String() string { return f.value }

// Type implements [pflag.Value].
func (f *rawFlag) Type() string { return f.kind }

func (f *checkFlags) add(flags *pflag.FlagSet) {
	f.timeout, f.interval = rawFlag{"10s", "duration"}, rawFlag{"30s", "duration"}
	f.maxAge, f.count = rawFlag{"5m", "duration"}, rawFlag{"", "int"}
	flags.StringVar(&f.url, "url", "", "the sidecar's address (default from $HEALTH_ADDR)")
	flags.StringVar(&f.metricsURL, "metrics-url", "", "all: ask for /metrics too, at this address (METRICS_ADDR)")
	flags.Var(&f.timeout, "timeout", "bound on each request; a bare number is seconds")
	flags.Var(&f.interval, "interval", "monitor: time between looks, at least 100ms; a bare number is seconds")
	flags.Var(&f.count, "count", "requests for each service (default 20); monitor: looks (default: no end); --direct: probes (default 1)")
	flags.Var(&f.maxAge, "max-age", "how old an answer may be, by the clock of who answers")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the token to send (default $HEALTH_TOKEN, if there is no --url)")
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file with the authorities to trust (default: the system's)")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	flags.BoolVar(&f.direct, "direct", false, "ask no sidecar: run each probe itself, from the environment")
	flags.StringVar(&f.compare, "compare", "", "the predecessor's address: ask it too, show what differs")
}

func (f *checkFlags) addMode(flags *pflag.FlagSet) {
	flags.StringVar(&f.mode, "mode", modeAll, "all, test (the same), detailed or monitor: as the predecessor's script took it")
}

// checkSettings are the parsed flags.
type checkSettings struct {
	mode     string
	client   check.Options
	old      *check.Options // the predecessor; nil for no comparison
	metrics  *check.Options // nil where it is not asked for
	direct   bool
	json     bool
	count    int // 0 where it was not given
	interval time.Duration
	maxAge   time.Duration
}

// minInterval is the least time between two looks.
const minInterval = 100 * time.Millisecond

// settings parses the flags, except for what they leave to the configuration. Given
// reports whether a flag was given, even with an empty value.
func (f *checkFlags) settings(mode string, given func(flag string) bool) (*checkSettings, error) {
	if mode == modeTest {
		mode = modeAll
	}
	s := &checkSettings{mode: mode, direct: f.direct, json: f.output == "json"}
	problems := flagProblems{given: given}
	problems.oneOf("mode", mode, modeAll, modeDetailed, modeMonitor)
	problems.oneOf("output", f.output, "table", "json")
	s.interval = problems.duration("interval", f.interval.value, minInterval)
	s.maxAge = problems.duration("max-age", f.maxAge.value, 0)
	s.count = problems.count("count", f.count.value)
	s.client = check.Options{
		Timeout: problems.duration("timeout", f.timeout.value, 0), Roots: problems.roots("ca-file", f.caFile), Insecure: f.insecure,
		Kinds: f.from.kinds.Described(),
	}
	s.old = problems.other("compare", f.compare, check.Predecessor, s.client)
	s.metrics = problems.other("metrics-url", f.metricsURL, check.Metrics, s.client)
	s.client.Token = problems.token("token-file", f.tokenFile)
	s.client.URL = problems.url("url", f.url)
	problems.contradictions(mode, f.direct)
	return s, problems.err()
}

// contradictions are flags that cannot go together.
func (p *flagProblems) contradictions(mode string, direct bool) {
	refuse := func(with string, contrary bool, flags ...string) {
		for _, flag := range flags {
			if contrary && p.given(flag) {
				p.add(flag, "does not go with %s", with)
			}
		}
	}
	refuse("mode all, which asks for everything once", mode == modeAll && !direct, "count")
	refuse("mode "+mode, mode == modeDetailed || mode == modeMonitor, "compare")
	refuse("mode "+mode, mode != modeAll, "metrics-url")
	refuse("--compare", p.given("compare"), "metrics-url")
	refuse("--direct, which asks no sidecar", direct, "compare", "url", "metrics-url", "token-file",
		"timeout", "ca-file", "insecure", "interval", "max-age")
	if direct && mode == modeMonitor {
		p.add("direct", "does not go with mode monitor: the sidecar is what watches")
	}
}

// flagProblems are everything that is wrong with the flags.
type flagProblems struct {
	given func(flag string) bool
	all   []string
}

func (p *flagProblems) add(flag, format string, args ...any) {
	p.all = append(p.all, "--"+flag+": "+fmt.Sprintf(format, args...))
}

func (p *flagProblems) err() error {
	switch len(p.all) {
	case 0:
		return nil
	case 1:
		return &usageError{p.all[0]}
	}
	slices.Sort(p.all)
	return &usageError{fmt.Sprintf("%d problems with the flags:\n  %s", len(p.all), strings.Join(p.all, "\n  "))}
}

// absent reports whether a flag was not given. An empty flag value is an error: most
// likely it comes from a variable that is not set.
func (p *flagProblems) absent(flag, value string) bool {
	if value == "" && p.given(flag) {
		p.add(flag, "it is empty: is a variable not set?")
	}
	return value == ""
}

func (p *flagProblems) oneOf(flag, value string, words ...string) {
	if !slices.Contains(words, value) {
		p.add(flag, "%q: want %s", value, strings.Join(words, " or "))
	}
}

// duration reads a duration; a bare number is in seconds.
func (p *flagProblems) duration(flag, value string, least time.Duration) time.Duration {
	text := value
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d <= 0 || d > 24*time.Hour:
		p.add(flag, "%q: want a duration above 0s, of at most 24h, such as 30s", value)
	case d < least:
		p.add(flag, "%q: want at least %s", value, least)
	}
	return d
}

func (p *flagProblems) count(flag, value string) int {
	if p.absent(flag, value) {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 1e6 {
		p.add(flag, "%q: want a number from 1 to 1000000", value)
	}
	return n
}

// whom fills in the address and the token from the configuration, which is not read if
// --url is given.
func (s *checkSettings) whom(f *checkFlags, stderr io.Writer) error {
	if s.client.URL != nil {
		return nil
	}
	cfg, _, err := f.from.config()
	if err != nil {
		return err
	}
	s.client.URL, err = check.LocalURL(cfg.Health.Addr)
	if err != nil {
		return &usageError{fmt.Sprintf("HEALTH_ADDR %q: %v: give --url", cfg.Health.Addr, err)}
	}
	if s.client.Token == "" {
		// As in the sidecar itself: while it cannot be read there is none.
		if s.client.Token, err = cfg.Health.Token.Read(); err != nil {
			fmt.Fprintf(stderr, "warning: no token is sent: %v\n", err)
		}
	}
	return nil
}

func (p *flagProblems) url(flag, value string) *url.URL {
	if p.absent(flag, value) {
		return nil
	}
	u, err := check.ParseURL(value)
	if err != nil {
		p.add(flag, "%v", err)
	}
	return u
}

// other returns the options for a second address, or nil if the flag was not given.
func (p *flagProblems) other(flag, value string, role check.Role, o check.Options) *check.Options {
	if o.URL = p.url(flag, value); o.URL == nil {
		return nil
	}
	o.Role = role
	return &o
}

func (p *flagProblems) roots(flag, path string) *x509.CertPool {
	if p.absent(flag, path) {
		return nil
	}
	roots, err := check.ReadRoots(path)
	if err != nil {
		p.add(flag, "%v", err)
	}
	return roots
}

// maxTokenSize bounds the file of a token, in bytes.
const maxTokenSize = 64 << 10

func (p *flagProblems) token(flag, path string) string {
	if p.absent(flag, path) {
		return ""
	}
	text, err := readfile.Limited(path, maxTokenSize)
	if err != nil {
		p.add(flag, "%v", err)
		return ""
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		p.add(flag, "%s: want one token in it, with no spaces", path)
	}
	return token
}
