package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Format is the syntax of a text that a tag names.
type Format struct {
	// Words says what it accepts, for the reference.
	Words string
	// Is completes the message "the value is not …": what the value should be.
	Is string
	// Pattern matches all accepted texts. The Helm chart rejects a text that it does not
	// match.
	Pattern string
	// Not matches no accepted text. Empty: there is no such pattern.
	Not string
	// Counts is a pattern. If it matches, only its groups are compared with other texts.
	// Empty: the whole text is.
	Counts string
	// Check returns the canonical form of the text, which is compared, or an [Invalid] error.
	Check func(text string) (canonical string, err error)
	// Trimmed says that white space around a secret is removed.
	Trimmed bool
	// Lower says that upper case is converted to lower case.
	Lower bool
	// Public returns the text without its secrets. The user and the password of a URL are
	// redacted elsewhere. The default is the text itself.
	Public func(text string) string
	// Secrets returns the secrets in the text. The default is none.
	Secrets func(text string) []string
}

func formats() map[string]Format {
	return map[string]Format{
		"listen":         {Words: "address:port", Is: "an address to listen on: give :port or address:port, such as :8008 or 127.0.0.1:8008", Pattern: listenPattern, Check: checkListen},
		"host":           {Words: "host name or IP address", Is: hostHint, Pattern: hostPattern, Check: checkHost},
		"host or socket": {Words: "host name, IP address or /directory", Is: hostHint, Pattern: socketPattern, Check: checkHostOrSocket},
		"origin":         {Words: "scheme://host[:port], or *", Is: "an origin: give scheme://host[:port] with no path and no slash at its end, or *", Pattern: originPattern, Counts: originCounts, Lower: true, Check: checkOrigin},
		"docs":           {Words: "http(s) URL, or off", Is: docsHint, Pattern: docsPattern, Check: checkDocs},
		"peer":           {Words: "name[:port]", Is: "the name or the address of peers: give name or name:port, with no scheme and no path", Pattern: peerPattern, Check: checkPeer},
		"address":        {Words: "IP address", Is: "an IP address", Pattern: addressPattern, Check: checkAddress},
		"path":           {Words: "path of a file", Is: "the path of a file: give /dir/name, or ./name for one in the working directory", Pattern: "/", Not: "-----BEGIN", Check: checkPath},
		"object":         {Words: "name of a Kubernetes object", Is: "the name or the UID of a Kubernetes object: lower-case letters, digits, hyphens and dots", Pattern: objectName.String(), Check: checkObject},
		"service":        {Words: "name of a service", Is: "the name of a service: a letter, then up to 31 letters, digits and hyphens, with no hyphen at the end", Pattern: serviceName.String(), Not: PatternBegin + strings.Join(reservedNames, "|") + PatternEnd, Lower: true, Check: checkServiceName},
		"check":          checkURLFormat(),
		"bearer":         {Words: "printable ASCII with no space", Is: "printable ASCII with no space: it could not be sent in a header", Pattern: "^[!-~]*$", Check: checkBearer},
	}
}

// accept runs the check, whose error says best what is wrong, and then matches the pattern,
// so that the program accepts nothing that the chart rejects.
func (f Format) accept(text string) (string, error) {
	canonical, err := f.Check(text)
	if err != nil {
		return "", err
	}
	if matched, err := regexp.MatchString(f.Pattern, canonical); err != nil || !matched {
		return "", Invalid("the value is not %s", f.Is)
	}
	return canonical, nil
}

func isNot(text, format string) error {
	return Invalid("%s is not %s", Quote(text), formats()[format].Is)
}

func checkListen(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err == nil && (host == "" || IsHost(host)) && IsPort(port, 0) {
		return text, nil
	}
	return "", isNot(text, "listen")
}

// checkHost rejects a scheme, a port, a path and credentials. Its error says so, since this
// is the most common mistake.
func checkHost(text string) (string, error) {
	if IsHost(text) {
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

// checkPeer takes an IPv6 address in brackets only where a port follows.
func checkPeer(text string) (string, error) {
	if IsHost(text) {
		return text, nil
	}
	if host, port, err := net.SplitHostPort(text); err == nil && IsHost(host) && IsPort(port, 1) {
		return text, nil
	}
	return "", isNot(text, "peer")
}

// portOf returns the port of what checkPeer accepts, or "".
func portOf(peer string) string {
	if IsHost(peer) {
		return ""
	}
	_, port, _ := net.SplitHostPort(peer)
	return port
}

func checkAddress(text string) (string, error) {
	if _, err := netip.ParseAddr(text); err != nil {
		return "", isNot(text, "address")
	}
	return text, nil
}

// checkOrigin returns the origin as a browser sends it: in lower case, and without the
// default port of the scheme.
func checkOrigin(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !IsHost(u.Hostname()) ||
		u.Scheme+"://"+u.Host != strings.ToLower(text) || u.Port() != "" && !IsPort(u.Port(), 1) {
		return "", isNot(text, "origin")
	}
	if u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" {
		return u.Scheme + "://" + JoinHostPort(u.Hostname(), ""), nil
	}
	return u.Scheme + "://" + u.Host, nil
}

// checkDocs returns the URL without a slash at its end.
func checkDocs(text string) (string, error) {
	u, err := url.Parse(text)
	if text != "off" && (err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return "", isNot(text, "docs")
	}
	return strings.TrimRight(text, "/"), nil
}

// checkPath does not test whether the file exists, since it may be mounted later. Its error
// quotes nothing, since the value may be the content of the file instead of its path.
func checkPath(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") || !strings.Contains(text, "/") {
		return "", Invalid("the value is not the path of a file: give /dir/name, or ./name for one in the working directory")
	}
	return text, nil
}

// objectName matches names of Pods, the longest of Kubernetes objects, and UIDs.
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
			return "", Invalid("the value cannot be sent in a header: use printable ASCII with no space")
		}
	}
	return text, nil
}

// hostName also accepts the underscore, which names in docker-compose have.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$`)

// IsHost reports whether the text is a host name or an IP address.
func IsHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostName.MatchString(text)
}

// IsPort reports whether the text is the number of a port, and at least low.
func IsPort(text string, low int) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && int(n) >= low
}

// Parts of the patterns of formats, in the syntax of Go's regexp, which Helm's templates
// use too. Alternatives must be between PatternBegin and PatternEnd.
const (
	PatternBegin = `^(?:`
	PatternEnd   = `)$`

	PatternName      = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}` // of a host; an IPv4 address matches too
	PatternPort      = `0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	PatternIPv6      = ipv6Pattern + `(?:%[^\[\]]+)?` // within brackets, with a zone or without
	PatternBracketed = `\[(?:` + PatternName + `|` + PatternIPv6 + `)\]`

	PatternEscaped = `%[0-9A-Fa-f]{2}` // in a URL
	PatternLogin   = `(?:(?:[A-Za-z0-9._:~!$&'()*+,;=@-]|` + PatternEscaped + `)*@)?`
	PatternURLIPv6 = ipv6Pattern + `(?:%25[A-Za-z0-9._~-]+)?`
	PatternURLAny  = `(?:` + PatternName + `|\[[0-9A-Fa-f:.]+(?:%[^\[\]/?]+)?\])` // of a host; the IPv6 address is not validated
	PatternURLHost = `(?:` + PatternName + `|\[` + PatternURLIPv6 + `\])`

	docsHint       = "the URL of the documentation: give http://HOST/PATH or https://HOST/PATH with no login, query and fragment, or off"
	hostHint       = "a host name or an IP address: leave out scheme, port, path and credentials"
	hostItem       = PatternName + `|` + ipv6Pattern + `(?:%.+)?`
	hostPattern    = PatternBegin + hostItem + PatternEnd
	socketPattern  = PatternBegin + `/.*|` + hostItem + PatternEnd
	listenPattern  = PatternBegin + `(?:` + PatternName + `|\[\]|` + PatternBracketed + `)?:(?:0+|` + PatternPort + `)` + PatternEnd
	peerPattern    = PatternBegin + hostItem + `|(?:` + PatternName + `|` + PatternBracketed + `):` + PatternPort + PatternEnd
	addressPattern = PatternBegin + octet + `(?:\.` + octet + `){3}|` + ipv6Pattern + `(?:%.+)?` + PatternEnd
	originPattern  = PatternBegin + `\*|https?://(?:` + PatternName + `|\[` + ipv6Pattern + `\])(?::` + PatternPort + `)?` + PatternEnd
	docsPattern    = PatternBegin + `off|https?://(?:` + PatternName + `|\[` + ipv6Pattern + `\])(?::` + PatternPort + `)?(?:/[A-Za-z0-9._~/-]*)?` + PatternEnd
	originCounts   = `^(?:(http://.*):80|(https://.*):443)$`
)

// An IPv6 address as netip reads it, without a zone.
const (
	group       = `[0-9A-Fa-f]{1,4}`
	octet       = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	lastTwo     = `(?:` + group + `:` + group + `|` + octet + `(?:\.` + octet + `){3})`
	ipv6Pattern = `(?:(?:` + group + `:){6}` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,6})?::` +
		`|(?:` + group + `(?::` + group + `){0,5})?::` + group +
		`|(?:` + group + `(?::` + group + `){0,4})?::` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,3})?::` + group + `:` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,2})?::(?:` + group + `:){2}` + lastTwo +
		`|(?:` + group + `(?::` + group + `)?)?::(?:` + group + `:){3}` + lastTwo +
		`|(?:` + group + `)?::(?:` + group + `:){4}` + lastTwo +
		`|::(?:` + group + `:){5}` + lastTwo + `)`
)
