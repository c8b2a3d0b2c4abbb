package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/readfile"
)

// The modes: what check does, and what its subcommands do.
const (
	modeServices  = "" // no subcommand
	modeEndpoints = "endpoints"
	modeDetailed  = "detailed"
	modeMonitor   = "monitor"

	// What the predecessor's script called the run endpoint by endpoint.
	modeAll  = "all"
	modeTest = "test"
)

// checkFlags are the flags as given. They are parsed together, so that all problems are
// reported at once. All commands share them.
type checkFlags struct {
	from *source

	mode, url, metricsURL, output, tokenFile, caFile, fleet string
	certFile, keyFile                                       string
	timeout, interval, count, maxAge                        rawFlag
	insecure, direct                                        bool
}

func newCheckFlags(from *source) *checkFlags {
	return &checkFlags{
		from: from, output: "table",
		timeout: rawFlag{"10s", "duration"}, maxAge: rawFlag{"5m", "duration"}, interval: rawFlag{"", "duration"}, count: rawFlag{"", "int"},
	}
}

// rawFlag is a flag whose value is parsed later. Its kind is the type shown in the help.
type rawFlag struct{ value, kind string }

// Set implements [pflag.Value].
func (f *rawFlag) Set(value string) error { f.value = value; return nil }

// String implements [pflag.Value].
func (f *rawFlag) String() string { return f.value }

// Type implements [pflag.Value].
func (f *rawFlag) Type() string { return f.kind }

// flagUse says in which modes a flag does something, and what it is for. Anywhere else it is
// refused, and left out of the help.
type flagUse struct {
	flag  string
	modes []string
	where string
}

func flagUses() []flagUse {
	return []flagUse{
		{"count", []string{modeDetailed, modeMonitor}, "check detailed, check monitor and --direct"},
		{"interval", []string{modeMonitor}, "check monitor"},
		{"metrics-url", []string{modeEndpoints}, "check endpoints"},
		{"direct", []string{modeServices, modeDetailed}, "check with no subcommand and check detailed"},
		{"fleet", []string{modeServices}, "check with no subcommand"},
	}
}

// add adds all flags to the command for a mode.
func (f *checkFlags) add(cmd *cobra.Command, mode string) {
	flags := cmd.Flags()
	count := map[string]string{
		modeServices: "with --direct: probes of each service (default 1)",
		modeDetailed: "requests for each service (default 20, and one for a service that fails); with --direct: probes (default 1)",
		modeMonitor:  "end after so many looks, and fail where one failed (default: no end)",
	}
	flags.StringVar(&f.url, "url", "", "the sidecar's address (default from $HEALTH_ADDR)")
	flags.StringVar(&f.metricsURL, "metrics-url", "", "ask for /metrics too, at this address (METRICS_ADDR)")
	flags.Var(&f.timeout, "timeout", "timeout of each request; a bare number is seconds")
	flags.Var(&f.interval, "interval", "time between looks, at least 100ms; a bare number is seconds (default 2s on a terminal, else 30s)")
	flags.Var(&f.count, "count", count[mode])
	flags.Var(&f.maxAge, "max-age", "how old an answer may be, by the clock of who answers; a bare number is seconds")
	flags.StringVarP(&f.output, "output", "o", f.output, "table or json")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the token to send (default $HEALTH_TOKEN, if there is no --url)")
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file with the authorities to trust (default: the system's)")
	flags.StringVar(&f.certFile, "cert-file", "", "PEM file with the certificate to present")
	flags.StringVar(&f.keyFile, "key-file", "", "PEM file with the key of that certificate")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	flags.BoolVar(&f.direct, "direct", false, "ask no sidecar: run each probe itself, from the environment")
	flags.StringVar(&f.fleet, "fleet", "", "the fleet program's address: show all workloads that it asks, instead of one sidecar's services")
	for _, use := range flagUses() {
		shown := slices.Contains(use.modes, mode) || use.flag == "count" && mode == modeServices
		flags.Lookup(use.flag).Hidden = !shown
	}
	complete(cmd, "output", "table", "json")
	complete(cmd, "url", "http://localhost:8008")
	complete(cmd, "metrics-url", "http://localhost:9008")
	complete(cmd, "fleet", "http://localhost:8080")
	complete(cmd, "timeout", "1s", "10s", "30s")
	complete(cmd, "interval", "500ms", "2s", "30s")
	complete(cmd, "max-age", "1m", "5m", "1h")
	complete(cmd, "count", "1", "20", "200")
	completeFile(cmd, "token-file", "ca-file", "cert-file", "key-file")
}

func (f *checkFlags) addMode(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.mode, "mode", "", "what the predecessor's script did: all or test (check endpoints), detailed or monitor")
	complete(cmd, "mode", modeAll, modeTest, modeDetailed, modeMonitor)
}

// modeOf is the mode that --mode asks for.
func (f *checkFlags) modeOf() string {
	if f.mode == modeAll || f.mode == modeTest {
		return modeEndpoints
	}
	return f.mode
}

// checkSettings are the parsed flags.
type checkSettings struct {
	mode     string
	client   check.Options
	metrics  *check.Options // nil where it is not asked for
	fleet    *check.Options // nil where no fleet program is asked
	direct   bool
	json     bool
	count    int // 0 where it was not given
	interval time.Duration
	maxAge   time.Duration
}

// minInterval is the least time between two looks.
const minInterval = 100 * time.Millisecond

// settings parses the flags, except for what they leave to the configuration. Given
// reports whether a flag was given, even with an empty value, and terminal whether the output
// is one.
func (f *checkFlags) settings(mode string, given func(flag string) bool, terminal bool) (*checkSettings, error) {
	s := &checkSettings{mode: mode, direct: f.direct, json: f.output == "json"}
	problems := flagProblems{given: given}
	known := slices.Contains([]string{modeServices, modeEndpoints, modeDetailed, modeMonitor}, mode)
	if !known || given("mode") && mode == modeServices {
		problems.add("mode", "%q: want %s", f.mode, strings.Join([]string{modeAll, modeTest, modeDetailed, modeMonitor}, " or "))
	}
	problems.oneOf("output", f.output, "table", "json")
	s.interval = defaultInterval(terminal && !s.json)
	if given("interval") {
		s.interval = problems.duration("interval", f.interval.value, minInterval)
	}
	s.maxAge = problems.duration("max-age", f.maxAge.value, 0)
	s.count = problems.count("count", f.count.value)
	s.client = check.Options{
		Timeout: problems.duration("timeout", f.timeout.value, 0), Roots: problems.roots("ca-file", f.caFile), Insecure: f.insecure,
		Certificate: problems.keyPair(f.certFile, f.keyFile), Kinds: f.from.kinds.Described(),
	}
	s.metrics = problems.other("metrics-url", f.metricsURL, check.Metrics, s.client)
	s.fleet = problems.other("fleet", f.fleet, check.FleetProgram, s.client)
	s.client.Token = problems.token("token-file", f.tokenFile)
	s.client.URL = problems.url("url", f.url)
	if known {
		problems.useless(mode, f.direct)
	}
	return s, problems.err()
}

// defaultInterval is the time between two looks, which is short where a person watches.
func defaultInterval(watched bool) time.Duration {
	if watched {
		return 2 * time.Second
	}
	return 30 * time.Second
}

// useless reports the flags that would do nothing, each once.
func (p *flagProblems) useless(mode string, direct bool) {
	refused := make(map[string]bool)
	refuse := func(flag, format string, args ...any) {
		if p.given(flag) && !refused[flag] {
			refused[flag] = true
			p.add(flag, format, args...)
		}
	}
	if direct && mode == modeMonitor {
		refuse("direct", "does not go with check monitor: the sidecar is what watches")
	}
	if direct {
		for _, flag := range []string{"url", "metrics-url", "token-file", "timeout", "ca-file", "cert-file", "key-file", "insecure", "interval", "max-age"} {
			refuse(flag, "does not go with --direct, which asks no sidecar")
		}
	}
	for _, use := range flagUses() {
		switch {
		case slices.Contains(use.modes, mode):
		case use.flag == "count" && mode == modeServices && direct:
		case use.flag == "interval" && p.given("mode"): // the predecessor's script took both
		default:
			refuse(use.flag, "does nothing in %s: it is for %s", strings.TrimSpace("check "+mode), use.where)
		}
	}
	if p.given("fleet") {
		for _, flag := range []string{"direct", "url", "token-file"} {
			refuse(flag, "does not go with --fleet, which asks no sidecar")
		}
	}
	if p.given("insecure") {
		refuse("ca-file", "does not go with --insecure, which accepts any certificate")
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
	d, err := parseDuration(value)
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
	if err := s.secure(&cfg.Health); err != nil {
		return err
	}
	if s.client.Token == "" {
		// As in the sidecar itself: while it cannot be read there is none.
		if s.client.Token, err = cfg.Health.Token.Read(); err != nil {
			fmt.Fprintf(stderr, "warning: no token is sent: %v\n", err)
		}
	}
	return nil
}

// secure asks by HTTPS where HEALTH_ADDR answers by it. The address is a loopback one, which
// no certificate need be for: without --ca-file any is accepted, as the kubelet does.
func (s *checkSettings) secure(h *config.Health) error {
	if h.TLSCertFile == "" {
		return nil
	}
	s.client.URL.Scheme = "https"
	s.client.Insecure = s.client.Insecure || s.client.Roots == nil
	if h.TLSClientCAFile == "" || s.client.Certificate != nil {
		return nil
	}
	pair, err := readfile.KeyPair(h.TLSCertFile, h.TLSKeyFile)
	if err != nil {
		return fmt.Errorf("read the certificate to present, of HEALTH_TLS_CERT_FILE: %w", err)
	}
	s.client.Certificate = &pair
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

// keyPair reads the certificate of --cert-file and its key; nil where neither is given.
func (p *flagProblems) keyPair(certFile, keyFile string) *tls.Certificate {
	noCert, noKey := p.absent("cert-file", certFile), p.absent("key-file", keyFile)
	switch {
	case noCert && noKey:
		return nil
	case noKey:
		p.add("cert-file", "needs --key-file")
		return nil
	case noCert:
		p.add("key-file", "needs --cert-file")
		return nil
	}
	pair, err := readfile.KeyPair(certFile, keyFile)
	if err != nil {
		p.add("cert-file", "%v", err)
	}
	return &pair
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
