package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// format is a syntax that a tag names.
type format struct {
	words   string // what it accepts, for the reference
	is      string // follows "the value is not": what it should be, and how to get there
	pattern string // all that it accepts matches, and the Helm chart refuses the rest
	not     string // unless it matches this; empty for none
	counts  string // of a text that matches, only the groups count; empty for none
	check   func(text string) (canonical string, err error)
}

// formatOf returns the format of that name; an unknown one is a mistake in a tag,
// which accepts nothing.
func formatOf(name string) format {
	switch name {
	case "listen":
		return format{words: "address:port", is: "an address to listen on: give :port or address:port, such as :8008 or 127.0.0.1:8008", pattern: listenPattern, check: checkListen}
	case "host":
		return format{words: "host name or IP address", is: hostHint, pattern: hostPattern, check: checkHost}
	case "host or socket":
		return format{words: "host name, IP address or /directory", is: hostHint, pattern: socketPattern, check: checkHostOrSocket}
	case "endpoint":
		return format{words: "host[:port]", is: "host[:port]: leave out scheme and path (MINIO_SECURE turns TLS on)", pattern: endpointPattern, check: checkEndpoint}
	case "ollama":
		return format{words: "host, host:port or URL", is: "a host, host:port or URL with a port from 1 to 65535", pattern: ollamaPattern, check: checkOllama}
	case "origin":
		return format{words: "scheme://host[:port], or *", is: "an origin: give scheme://host[:port] with no path and no slash at its end, or *", pattern: originPattern, counts: originCounts, check: checkOrigin}
	case "bucket":
		return format{words: "bucket name", is: "a bucket name: 3 to 63 letters, digits, dots and hyphens", pattern: bucketName.String(), check: checkBucket}
	case "model":
		return format{words: "model name", is: "the name of one model, such as llama3 or llama3:8b", pattern: modelName.String(), check: checkModel}
	case "path":
		return format{words: "path of a file", is: "the path of a file: give /dir/name, or ./name for one in the working directory", pattern: "/", not: "-----BEGIN", check: checkPath}
	case "postgres":
		return format{words: "postgres://[user[:password]@]host[:port][/database][?sslmode=…]", is: "such a URL: see docs/configuration.md", pattern: postgresPattern, check: checkPostgres}
	case "object":
		return format{words: "name of a Kubernetes object", is: "the name or the UID of a Kubernetes object: lower-case letters, digits, hyphens and dots", pattern: objectName.String(), check: checkObject}
	case "bearer":
		return format{words: "printable ASCII with no space", is: "printable ASCII with no space: it could not be sent in a header", pattern: "^[!-~]*$", check: checkBearer}
	default:
		return format{words: name, check: func(string) (string, error) { return "", invalid("unknown format %q", name) }}
	}
}

// accept holds the text against the check, which says best what is wrong with it, and
// then against the pattern, so that no program and no chart accepts more than it.
func (f format) accept(text string) (string, error) {
	canonical, err := f.check(text)
	if err != nil {
		return "", err
	}
	if matched, err := regexp.MatchString(f.pattern, canonical); err != nil || !matched {
		return "", invalid("the value is not %s", f.is)
	}
	return canonical, nil
}

func isNot(text, format string) error {
	return invalid("%s is not %s", quote(text), formatOf(format).is)
}

func checkListen(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err == nil && (host == "" || isHost(host)) && isPort(port, 0) {
		return text, nil
	}
	return "", isNot(text, "listen")
}

// checkHost refuses what belongs elsewhere with a hint, as it is the most common
// mistake.
func checkHost(text string) (string, error) {
	if isHost(text) {
		return text, nil
	}
	return "", isNot(text, "host")
}

func checkHostOrSocket(text string) (string, error) {
	if strings.HasPrefix(text, "/") {
		return text, nil
	}
	return checkHost(text)
}

func checkEndpoint(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if isHost(text) && !strings.Contains(text, ":") || err == nil && isHost(host) && isPort(port, 1) {
		return text, nil
	}
	return "", isNot(text, "endpoint")
}

func checkOllama(text string) (string, error) {
	_, err := parseOllamaHost(text)
	return text, err
}

// parseOllamaHost never repeats the error of url.Parse, which holds the URL and so
// its password.
func parseOllamaHost(text string) (*url.URL, error) {
	raw := text
	if addr, err := netip.ParseAddr(raw); err == nil && addr.Is6() {
		raw = "[" + raw + "]"
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, invalid("%s is not a host, host:port or URL", quote(text))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("the URL's scheme is not http or https")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("the URL has a query or a fragment: leave it out")
	case u.Hostname() != "" && !isHost(u.Hostname()), strings.HasSuffix(u.Host, ":"), u.Port() != "" && !isPort(u.Port(), 1):
		return nil, isNot(text, "ollama")
	}
	return u, nil
}

// checkOrigin returns what a browser sends: lower case, without the port that the
// scheme implies.
func checkOrigin(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !isHost(u.Hostname()) ||
		u.Scheme+"://"+u.Host != strings.ToLower(text) || u.Port() != "" && !isPort(u.Port(), 1) {
		return "", isNot(text, "origin")
	}
	if u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" {
		return u.Scheme + "://" + joinHostPort(u.Hostname(), ""), nil
	}
	return u.Scheme + "://" + u.Host, nil
}

// bucketName is what S3 servers accept in reading, older names included.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{1,61}[A-Za-z0-9]$`)

func checkBucket(text string) (string, error) {
	if bucketName.MatchString(text) {
		return text, nil
	}
	return "", isNot(text, "bucket")
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./:-]*$`)

func checkModel(text string) (string, error) {
	if modelName.MatchString(text) {
		return text, nil
	}
	return "", isNot(text, "model")
}

// checkPath does not look for the file, which may be mounted later, and quotes
// nothing: somebody may have given the content in the place of the path.
func checkPath(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") || !strings.Contains(text, "/") {
		return "", invalid("the value is not the path of a file: give /dir/name, or ./name for one in the working directory")
	}
	return text, nil
}

// objectName is the wide form that Pods have; their UIDs look like one, too.
var objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

func checkObject(text string) (string, error) {
	if objectName.MatchString(text) {
		return text, nil
	}
	return "", isNot(text, "object")
}

func checkBearer(text string) (string, error) {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "", invalid("the value cannot be sent in a header: use printable ASCII with no space")
		}
	}
	return text, nil
}

// hostName also takes the underscore, which names in docker-compose have.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$`)

func isHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostName.MatchString(text)
}

func isPort(text string, low int) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && int(n) >= low
}
