package http_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	httpkind "github.com/reims/reims-health/pkg/dependency/http"
)

// settings returns those that the value of NAME_CHECK makes, changed by edit.
func settings(t *testing.T, check string, edit func(*httpkind.Settings)) *httpkind.Settings {
	t.Helper()
	made, err := fromCheck(check)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := made.(*httpkind.Settings)
	if !ok {
		t.Fatalf("settings are %T", made)
	}
	if edit != nil {
		edit(s)
	}
	return s
}

func fromCheck(check string) (dependency.Settings, error) {
	u, err := dependency.ParseURL(check, "TOKEN")
	if err != nil {
		return nil, err
	}
	for _, scheme := range httpkind.Kind().Schemes {
		if scheme.Name == u.Scheme {
			made, _, err := scheme.Settings(u)
			return made, err
		}
	}
	return nil, nil
}

func TestHTTPWrongURLs(t *testing.T) {
	t.Parallel()
	for check, words := range map[string]string{
		"http://user@billing":            "{TOKEN_FILE}",
		"https://a,b/x":                  "2 hosts",
		"http://billing/?a b":            "must be escaped",
		"http://billing/?key=canäry":     "must be escaped",
		"https://billing/%zz?key=canary": "must be escaped",
		"http://billing:0/":              "port",
		"http:///path":                   "host",
	} {
		_, err := fromCheck(check)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "can") && !strings.Contains(err.Error(), "cannot") {
			t.Errorf("%s: %v, want words on %q", check, err, words)
		}
	}
}

func TestHTTPFormats(t *testing.T) {
	t.Parallel()
	formats := (*httpkind.Settings)(nil).Formats("BILLING_")
	for name, texts := range map[string]map[string]string{ // what is said; empty: it is accepted
		"status": {
			"200": "", "599": "", "300-399": "", "204-204": "",
			"20": "is not an HTTP status", "199": "is not an HTTP status", "600": "is not an HTTP status", "2xx": "is not an HTTP status",
			"200-": "is not an HTTP status", "-200": "is not an HTTP status", "200 - 299": "is not an HTTP status", "0200": "is not an HTTP status",
			"399-300": "ends before it begins",
		},
		"regexp": {
			`"status":\s*"(UP|OK)"`: "", "(?i)^ok$": "", ".": "",
			"(": "missing closing )", "[a": "missing closing ]", `(?=x)`: "invalid or unsupported Perl syntax", "a{5000}": "invalid repeat count", `\`: "trailing backslash",
		},
	} {
		for text, words := range texts {
			canonical, err := formats[name].Check(text)
			switch {
			case words == "" && (err != nil || canonical != text):
				t.Errorf("%s %q: %q, %v", name, text, canonical, err)
			case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
				t.Errorf("%s %q: %v, want %q", name, text, err, words)
			}
		}
	}
}

func TestHTTPRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    string // of the error; empty: there is none
	}{
		"none":                     {[]string{"BILLING_CHECK=http://billing"}, ""},
		"CA with https":            {[]string{"BILLING_CHECK=https://billing", "BILLING_CA_FILE=/ca"}, ""},
		"CA with http":             {[]string{"BILLING_CHECK=http://billing", "BILLING_CA_FILE=/ca"}, "BILLING_CA_FILE: has no effect: the scheme of BILLING_CHECK is not https"},
		"CA with http, upper case": {[]string{"BILLING_CHECK=HTTP://billing", "BILLING_CA_FILE=/ca"}, "BILLING_CA_FILE: has no effect: the scheme of BILLING_CHECK is not https"},
		"certificate with http":    {[]string{"BILLING_CHECK=http://billing", "BILLING_CERT_FILE=/c", "BILLING_KEY_FILE=/k"}, "BILLING_CERT_FILE: has no effect: the scheme of BILLING_CHECK is not https"},
	} {
		_, err := load(t, test.environ...)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// load reads the configuration of a service billing of this kind.
func load(t *testing.T, environ ...string) (*config.Config, error) {
	t.Helper()
	kinds := dependency.Kinds{httpkind.Kind()}
	c, warnings, err := config.Load(config.Options{Named: kinds.Named, Environ: append(environ, "HEALTH_SERVICES=billing")})
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	return c, err
}

// Whatever is wrong is said at once, by variable, and nothing of it is secret.
func TestHTTPConfigurationProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    string // without the heading
	}{
		"values": {
			[]string{
				"BILLING_CHECK=http://billing/", "BILLING_EXPECT_STATUS=200,2xx", "BILLING_EXPECT_BODY=(", "BILLING_TOKEN=canary token",
				"BILLING_CA_FILE=/ca.crt", "BILLING_CERT_FILE=/tls.crt",
			},
			`
  BILLING_EXPECT_STATUS: "2xx" is not an HTTP status from 200 to 599, such as 204, or a range of them, such as 300-399
  BILLING_EXPECT_BODY: "(" is not a regular expression in Go's syntax: missing closing )
  BILLING_TOKEN: the value cannot be sent in a header: use printable ASCII with no space
  BILLING_CA_FILE: has no effect: the scheme of BILLING_CHECK is not https
  BILLING_CERT_FILE: needs BILLING_KEY_FILE`,
		},
		"key alone": {
			[]string{"BILLING_CHECK=https://billing/", "BILLING_KEY_FILE=/tls.key"},
			"\n  BILLING_KEY_FILE: needs BILLING_CERT_FILE",
		},
		"a user": {
			[]string{"BILLING_CHECK=https://canary@billing/"},
			"\n  BILLING_CHECK: the URL has a user: https takes none; put a token into a file that BILLING_TOKEN_FILE names",
		},
		"a password": {
			[]string{"BILLING_CHECK=https://user:canary@billing/"},
			"\n  BILLING_CHECK: the URL has a password, and the URL is shown to readers: leave it out, and put it into a file that BILLING_TOKEN_FILE names",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.environ...)
			if err == nil {
				t.Fatal("nothing is wrong")
			}
			_, got, _ := strings.Cut(err.Error(), "\n")
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The URL's query is shown nowhere, nor is the token.
func TestHTTPConfigurationIsPrinted(t *testing.T) {
	t.Parallel()
	c, err := load(t, "BILLING_CHECK=https://billing/healthz?key=canary-of-the-query", "BILLING_TOKEN=canary-token",
		"BILLING_EXPECT_STATUS=200, 300-399", `BILLING_EXPECT_BODY="status":\s*"UP"`)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BILLING_EXPECT_STATUS=200,300-399", "BILLING_TOKEN=[set]", "https://billing/healthz"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is not in:\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "canary") {
		t.Errorf("a secret is in:\n%s", &text)
	}
}
