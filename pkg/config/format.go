package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// format is a syntax that a tag names. Check returns the value in its canonical
// form.
type format struct {
	words string
	check func(string) (string, error)
}

// formatOf returns the format of that name; an unknown one is a mistake in a tag,
// which accepts nothing.
func formatOf(name string) format {
	switch name {
	case "listen":
		return format{"address:port", checkListen}
	case "host":
		return format{"host name or IP address", checkHost}
	case "host or socket":
		return format{"host name, IP address or /directory", checkHostOrSocket}
	case "endpoint":
		return format{"host[:port]", checkEndpoint}
	case "ollama":
		return format{"host, host:port or URL", checkOllama}
	case "origin":
		return format{"scheme://host[:port], or *", checkOrigin}
	case "bucket":
		return format{"bucket name", checkBucket}
	case "model":
		return format{"model name", checkModel}
	case "path":
		return format{"path of a file", checkPath}
	case "postgres":
		return format{"postgres://[user[:password]@]host[:port][/database][?sslmode=…]", checkPostgres}
	case "object":
		return format{"name of a Kubernetes object", checkObject}
	case "bearer":
		return format{"printable ASCII with no space", checkBearer}
	default:
		return format{name, func(string) (string, error) { return "", invalid("unknown format %q", name) }}
	}
}

func checkListen(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err == nil && (host == "" || isHost(host)) && isPort(port, 0) {
		return text, nil
	}
	return "", invalid("%s is not an address to listen on: give :port or address:port, such as :8008 or 127.0.0.1:8008", quote(text))
}

// checkHost refuses what belongs elsewhere with a hint, as it is the most common
// mistake.
func checkHost(text string) (string, error) {
	if isHost(text) {
		return text, nil
	}
	return "", invalid("%s is not a host name or an IP address: leave out scheme, port, path and credentials", quote(text))
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
	return "", invalid("%s is not host[:port]: leave out scheme and path (MINIO_SECURE turns TLS on)", quote(text))
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
		return nil, invalid("%s is not a host, host:port or URL with a port from 1 to 65535", quote(text))
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
		return "", invalid("%s is not an origin: give scheme://host[:port] with no path and no slash at its end, or *", quote(text))
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
	return "", invalid("%s is not a bucket name: 3 to 63 letters, digits, dots and hyphens", quote(text))
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./:-]*$`)

func checkModel(text string) (string, error) {
	if modelName.MatchString(text) {
		return text, nil
	}
	return "", invalid("%s is not the name of one model, such as llama3 or llama3:8b", quote(text))
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
	return "", invalid("%s is not the name or the UID of a Kubernetes object: lower-case letters, digits, hyphens and dots", quote(text))
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
