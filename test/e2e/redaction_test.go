package e2e_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

const (
	// publicName is in a path, in the name of a bucket and of a model: readers with
	// HEALTH_DETAILS=full and those with the token see it, and no others.
	publicName = "c4n4ry-name"
	// serverWords are in errors, banners and certificates of servers: they are in the log alone.
	serverWords = "c4n4ry-words"
)

// secretive is a sidecar with a canary in every secret that there is, of the four services and
// of one service for each of some schemes, and with servers that send back what they are sent.
type secretive struct {
	t       *testing.T
	details string // HEALTH_DETAILS
	inFiles bool   // secrets are in files, and have no line break
	vars    []servers.Var
	names   []string // of the services
	token   string
}

// TestNoSecretLeaves walks through all secret variables that there are, and through all outputs:
// one that is added to the configuration or to the list of paths is tested without a change here.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	schemes := registry.Kinds().Schemes()
	half := len(schemes) / 2
	for i, details := range []string{"full", "safe", "off"} {
		for n, some := range [][]dependency.Scheme{schemes[:half], schemes[half:]} {
			inFiles := (i+n)%2 == 1
			t.Run(fmt.Sprintf("%s, schemes from %s, in files %t", details, some[0].Name, inFiles), func(t *testing.T) {
				t.Parallel()
				c := &secretive{t: t, details: details, inFiles: inFiles}
				c.configure(some)
				c.run()
			})
		}
	}
}

// configure sets the addresses and every secret.
func (c *secretive) configure(schemes []dependency.Scheme) {
	c.t.Helper()
	all := registry.Kinds().Services()
	for _, s := range all {
		c.names = append(c.names, s.Name)
	}
	for i, scheme := range schemes {
		service, err := registry.Kinds().Example(scheme.Name, fmt.Sprintf("named-%d", i))
		must(c.t, err)
		all, c.names = append(all, service), append(c.names, service.Name)
		c.vars = append(c.vars, servers.Var{Name: service.Prefix() + "CHECK", Value: c.checkURL(service)},
			servers.Var{Name: service.Prefix() + "PROBE_INTERVAL", Value: interval.String()}, servers.Var{Name: service.Prefix() + "PROBE_TIMEOUT", Value: timeout.String()})
	}
	c.vars = append(c.vars, servers.Var{Name: "HEALTH_SERVICES", Value: strings.Join(c.names, ",")}, servers.Var{Name: "HEALTH_DETAILS", Value: c.details})
	postgres, redis, http := reflectPostgres(c.t), reflectRedis(c.t), reflectHTTP(c.t)
	c.vars = append(c.vars, servers.At("minio", http)...)
	c.vars = append(c.vars, servers.Var{Name: "OLLAMA_HOST", Value: "http://user:" + rand.Text() + "@" + http})
	if !c.inFiles { // else DATABASE_URL and REDIS_URL count
		c.vars = append(append(c.vars, servers.At("database", postgres)...), servers.At("redis", redis)...)
	}
	for _, v := range config.Variables(all) {
		if v.Secret {
			c.set(v, postgres, redis)
		}
	}
	for _, name := range []string{"HEALTH_OVERRIDE_FILE", "HEALTH_STATE_FILE"} {
		c.vars = append(c.vars, servers.Var{Name: name, Value: c.file(canary())})
	}
	c.vars = append(c.vars, servers.Var{Name: "POD_UID", Value: "1"})
}

// set gives a secret a canary of the form that it has to have.
func (c *secretive) set(v config.Variable, postgres, redis string) {
	c.t.Helper()
	value := canary()
	if !c.inFiles {
		value = strings.Replace(value, "é", "é\n", 1)
	}
	switch {
	case strings.HasPrefix(v.Values, "postgres://"):
		value = "postgres://user:" + url.QueryEscape(rand.Text()) + "@" + postgres + "/db?sslmode=disable"
	case strings.HasPrefix(v.Values, "redis"):
		value = "redis://user:" + rand.Text() + "@" + redis
	case strings.HasPrefix(v.Values, "printable ASCII"), strings.HasSuffix(v.Name, "ACCESS_KEY"): // it is sent in a header
		value = rand.Text()
	case v.Values != "text":
		c.t.Fatalf("%s takes %q: give it a canary of that form here", v.Name, v.Values)
	}
	if v.Name == "HEALTH_TOKEN" {
		c.token = value
	}
	if c.inFiles {
		c.vars = append(c.vars, servers.Var{Name: v.Name + "_FILE", Value: c.file(value)})
		return
	}
	c.vars = append(c.vars, servers.Var{Name: v.Name, Value: value})
}

func (c *secretive) file(content string) string {
	c.t.Helper()
	name := filepath.Join(c.t.TempDir(), "file")
	must(c.t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// checkURL leads to a server of the service's kind that sends back what it is sent, or that has
// something to name.
func (c *secretive) checkURL(s *config.Service) string {
	c.t.Helper()
	scheme, rest, _ := strings.Cut(s.Origin.Check, "://")
	_, path, _ := strings.Cut(rest, "/")
	var addr string
	switch scheme {
	case "postgres":
		addr = reflectPostgres(c.t)
	case "redis", "redis+sentinel":
		addr = reflectRedis(c.t)
	case "rediss", "tls", "https", "ollamas", "s3s", "grpcs":
		addr = reflectTLS(c.t)
	case "s3", "ollama":
		addr = nameThings(c.t)
	case "http", "grpc":
		addr = reflectHTTP(c.t)
	case "tcp":
		addr = listen(c.t, func(conn net.Conn) { _, _ = io.WriteString(conn, serverWords) })
	default:
		c.t.Fatalf("there is no server for the scheme %s: add one here", scheme)
	}
	if scheme == "http" || scheme == "https" {
		path = publicName + "?token=" + rand.Text()
	}
	return scheme + "://" + addr + "/" + path
}

// run starts the sidecar, and searches all that comes out of it and of the commands.
func (c *secretive) run() {
	s := launchSidecar(c.t, []string{"serve"}, c.vars...)
	s.await("/health/history", confirmed, func(answer) bool {
		all := s.get("/health").json.Services
		return len(all) == len(c.names) && !c.unjudged(all)
	})
	c.readPaths(s)
	vars := with(with(c.vars, "HEALTH_ADDR", s.Health), "METRICS_ADDR", s.Metrics)
	c.runCommands(s, vars)
	s.Signal(syscall.SIGQUIT) // the dump of all goroutines is part of the log
	<-s.Exited()
	if !strings.Contains(s.Log(), "goroutine 1 ") {
		c.t.Error("the log has no dump of the goroutines")
	}
	if !strings.Contains(s.Log(), serverWords) || !strings.Contains(s.Log(), config.Mask) {
		c.t.Error("the log has neither words of the servers nor anything redacted: no server sent a secret back")
	}
	s.secrets.check(c.t, "the log", s.Log())
}

func (c *secretive) unjudged(statuses map[string]string) bool {
	return slices.ContainsFunc(c.names, func(name string) bool { return statuses[name] == "unknown" })
}

// readPaths asks for all paths that the sidecar says it has, in each of their forms, and for the
// metrics. Every answer is searched for secrets when it comes.
func (c *secretive) readPaths(s *sidecar) {
	var known struct{ Paths []string }
	must(c.t, json.Unmarshal([]byte(s.get("/nothing").body), &known))
	if len(known.Paths) < len(c.names)+3 {
		c.t.Fatalf("paths: %q", known.Paths)
	}
	named := false
	for _, path := range append(known.Paths, "/nothing", "/health/peer", "/health/ready") {
		for _, query := range []string{"", "?verbose", "?since=1h", "?%zz"} {
			for _, token := range []string{"", "wrong", c.token} {
				a := s.get(path+query, "Authorization", "Bearer "+token)
				shown := strings.Contains(a.body, publicName)
				named = named || shown
				if mayName := c.details == "full" || c.details == "safe" && token == c.token; shown && !mayName {
					c.t.Errorf("%s%s names things to a reader with the token %q: %s", path, query, token, a.body)
				}
				c.searchWords(path+query, a.body)
			}
		}
	}
	if want := c.details != "off"; named != want {
		c.t.Errorf("with HEALTH_DETAILS=%s, names are shown: %t", c.details, named)
	}
	metrics, err := s.fetch(http.MethodGet, s.metrics)
	must(c.t, err)
	c.searchWords("the metrics", metrics.body)
	if strings.Contains(metrics.body, publicName) {
		c.t.Errorf("the metrics have a name:\n%s", metrics.body)
	}
}

// searchWords wants no driver's text, which is for the log alone.
func (c *secretive) searchWords(where, text string) {
	if i := strings.Index(text, serverWords); i >= 0 {
		c.t.Errorf("%s has words of a server after %q", where, text[max(0, i-80):i])
	}
}

// commands are those that end by themselves, and whether they ask a sidecar.
var commands = []struct {
	args []string
	asks bool
}{
	{[]string{"config"}, false},
	{[]string{"config", "--output", "json"}, false},
	{[]string{"check"}, true},
	{[]string{"check", "--output", "json"}, true},
	{[]string{"check", "detailed"}, true},
	{[]string{"check", "endpoints"}, true},
	{[]string{"check", "--direct"}, false},
	{[]string{"check", "--direct", "--output", "json"}, false},
	{[]string{"migrate", "status"}, false},
	{[]string{"migrate", "up"}, false},
	{[]string{"migrate", "verify"}, false},
	{[]string{"migrate", "down"}, false},
	{[]string{"version"}, false},
	{[]string{"help"}, false},
	{[]string{"completion", "bash"}, false},
}

func (c *secretive) runCommands(s *sidecar, vars []servers.Var) {
	all := append(slices.Clip(commands), struct {
		args []string
		asks bool
	}{[]string{"wait", "--timeout", "2s", "--for", strings.Join(c.names, ",")}, false})
	tried := map[string]bool{"serve": true}
	for _, command := range all {
		_, stdout, stderr := runProgram(c.t, vars, command.args...)
		tried[command.args[0]] = true
		if stdout+stderr == "" {
			c.t.Errorf("%v says nothing", command.args)
		}
		s.secrets.check(c.t, strings.Join(command.args, " "), stdout+stderr)
		if command.asks {
			c.searchWords(strings.Join(command.args, " "), stdout+stderr)
		}
	}
	_, help, _ := runProgram(c.t, nil, "help")
	_, list, _ := strings.Cut(help, "Available Commands:")
	for _, name := range regexp.MustCompile(`(?m)^  (\w+)  `).FindAllStringSubmatch(list, -1) {
		if !tried[name[1]] {
			c.t.Errorf("the command %s is not tried here", name[1])
		}
	}
}

// TestNoContentOfAFileLeaves gives every variable that names a file one that holds a canary, as
// where a key is mounted in another's place.
func TestNoContentOfAFileLeaves(t *testing.T) {
	t.Parallel()
	c := &secretive{t: t}
	var found int
	hidden := secretsOf(t, nil)
	for _, v := range config.Variables(registry.Kinds().Services()) {
		if v.Values != "path of a file" || strings.HasPrefix(v.Name, "METRICS_TLS") {
			continue
		}
		value := canary()
		if found++; found%2 == 0 {
			value = "-----BEGIN PRIVATE KEY-----\n" + rand.Text() + "\n-----END PRIVATE KEY-----\n"
		}
		hidden.add(v.Name, value[:len(value)-len("-----END PRIVATE KEY-----")/2])
		c.vars = append(c.vars, servers.Var{Name: v.Name, Value: c.file(value)})
	}
	if found < 8 {
		t.Fatalf("%d variables name a file", found)
	}
	for _, switched := range []string{"REDIS_TLS", "MINIO_SECURE"} {
		c.vars = append(c.vars, servers.Var{Name: switched, Value: "on"})
	}
	c.vars = append(append(c.vars, nowhere(t)...), servers.Var{Name: "POD_UID", Value: "1"})
	for _, args := range [][]string{{"config"}, {"check", "--direct"}, {"check"}, {"wait", "--timeout", "2s"}, {"migrate", "status"}} {
		code, stdout, stderr := runProgram(t, c.vars, args...)
		if hidden.check(t, args[0], stdout+stderr); code == 0 && args[0] != "config" {
			t.Errorf("%v: exit 0", args)
		}
	}
}

// reflectTLS presents a certificate of another name.
func reflectTLS(t *testing.T) string {
	t.Helper()
	from := time.Now().Add(-time.Hour)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = r.Header.Write(w) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{checking.NewAuthority(t, from, from.Add(48*time.Hour)).Issue(t, from, from.Add(24*time.Hour), serverWords+".example")}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// nameThings answers as an S3 server with one bucket, and as an Ollama with one model.
func nameThings(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets><Bucket><Name>"+publicName+"</Name></Bucket></Buckets></ListAllMyBucketsResult>")
		case "/api/tags":
			_, _ = io.WriteString(w, `{"models":[{"name":"`+publicName+`:latest"}]}`)
		default:
			_, _ = io.WriteString(w, `{"version":"0.1.0"}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
