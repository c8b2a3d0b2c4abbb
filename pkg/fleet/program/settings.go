package program

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/reims/reims-health/pkg/config"
)

// settings are the settings from the environment.
type settings struct {
	addr, metricsAddr, healthAddr string
	namespaces                    []string
	leaderElection                bool
	podNamespace, podName         string
	requestsPerSecond             int
	timeout                       time.Duration
	certFile, keyFile             string
	kubeconfig                    string
	logLevel                      slog.Level
}

// variables are the environment variables. --help shows their help tags.
type variables struct {
	Addr              string `env:"FLEET_ADDR, default=:8080" help:"the page and the API: host:port"`
	MetricsAddr       string `env:"FLEET_METRICS_ADDR, default=:9090" help:"Prometheus' metrics: host:port"`
	HealthAddr        string `env:"FLEET_HEALTH_ADDR, default=:8081" help:"/healthz and /readyz, for the kubelet: host:port"`
	Namespaces        string `env:"FLEET_NAMESPACES" help:"the namespaces to watch, separated by commas; empty means all"`
	LeaderElection    string `env:"FLEET_LEADER_ELECTION, default=on" help:"on if there are several replicas, so that only one writes; off, on"`
	RequestsPerSecond string `env:"FLEET_REQUESTS_PER_SECOND, default=500" help:"the most requests to sidecars per second; with more Pods, each is asked less often"`
	Timeout           string `env:"FLEET_TIMEOUT, default=2s" help:"the timeout of one request to a sidecar"`
	CertFile          string `env:"FLEET_CLIENT_CERT_FILE" help:"a PEM file with the client certificate for sidecars that require one; read at each handshake"`
	KeyFile           string `env:"FLEET_CLIENT_KEY_FILE" help:"a PEM file with the key of that certificate"`
	Kubeconfig        string `env:"FLEET_KUBECONFIG" help:"a kubeconfig file; empty means the Pod's service account"`
	PodNamespace      string `env:"POD_NAMESPACE" help:"the namespace of the Lease for leader election; required with leader election"`
	PodName           string `env:"POD_NAME" help:"the name of this replica; required with leader election"`
	LogLevel          string `env:"LOG_LEVEL, default=info" help:"debug, info, warn, error"`
}

// fields calls f for each variable, in the order of the struct.
func (v *variables) fields(f func(name, fallback, help string)) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[variables]()) {
		name, rest, _ := strings.Cut(field.Tag.Get("env"), ",")
		_, fallback, _ := strings.Cut(rest, "default=")
		f(name, fallback, field.Tag.Get("help"))
	}
}

// load reads the settings from an environment of NAME=value. An empty variable
// counts as not set. Invalid settings are a [*config.Error] with every problem.
func load(ctx context.Context, environ []string) (*settings, error) {
	values := map[string]string{}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); strings.TrimSpace(value) != "" {
			values[name] = strings.TrimSpace(value)
		}
	}
	var v variables
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &v, Lookuper: envconfig.MapLookuper(values)}); err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	l := &loader{}
	s := &settings{
		addr:              l.address("FLEET_ADDR", v.Addr),
		metricsAddr:       l.address("FLEET_METRICS_ADDR", v.MetricsAddr),
		healthAddr:        l.address("FLEET_HEALTH_ADDR", v.HealthAddr),
		namespaces:        l.namespaces("FLEET_NAMESPACES", v.Namespaces),
		leaderElection:    l.flag("FLEET_LEADER_ELECTION", v.LeaderElection),
		requestsPerSecond: l.number("FLEET_REQUESTS_PER_SECOND", v.RequestsPerSecond, 1, 10_000),
		timeout:           l.duration("FLEET_TIMEOUT", v.Timeout, 100*time.Millisecond, time.Minute),
		certFile:          v.CertFile,
		keyFile:           v.KeyFile,
		kubeconfig:        v.Kubeconfig,
		podNamespace:      v.PodNamespace,
		podName:           v.PodName,
		logLevel:          l.level("LOG_LEVEL", v.LogLevel),
	}
	if s.leaderElection {
		for name, value := range map[string]string{"POD_NAMESPACE": s.podNamespace, "POD_NAME": s.podName} {
			if value == "" {
				l.problem(name, "is required with leader election: set it from the Pod's fields, or set FLEET_LEADER_ELECTION=off if there is only one replica")
			}
		}
	}
	if (s.certFile == "") != (s.keyFile == "") {
		l.problem("FLEET_CLIENT_CERT_FILE", "must be set together with FLEET_CLIENT_KEY_FILE")
	}
	l.findUnknown(&v, values)
	if len(l.problems) > 0 {
		slices.SortFunc(l.problems, func(a, b config.Problem) int { return strings.Compare(a.Variable, b.Variable) })
		return nil, &config.Error{Problems: l.problems}
	}
	return s, nil
}

// loader parses variables, and collects their problems.
type loader struct{ problems []config.Problem }

func (l *loader) problem(variable, text string, args ...any) {
	l.problems = append(l.problems, config.Problem{Variable: variable, Text: fmt.Sprintf(text, args...)})
}

func (l *loader) address(name, text string) string {
	_, port, err := net.SplitHostPort(text)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 {
		l.problem(name, "%q is not an address to listen on: write :8080 or 127.0.0.1:8080", text)
	}
	return text
}

func (l *loader) namespaces(name, text string) (names []string) {
	for n := range strings.SplitSeq(text, ",") {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		if len(validation.IsDNS1123Label(n)) > 0 {
			l.problem(name, "%q is not the name of a namespace: write names as kubectl get namespaces shows them, separated by commas", n)
		}
		names = append(names, n)
	}
	return names
}

func (l *loader) flag(name, text string) bool {
	switch strings.ToLower(text) {
	case "on", "true":
		return true
	case "off", "false":
	default:
		l.problem(name, "%q must be on or off", text)
	}
	return false
}

func (l *loader) number(name, text string, low, high int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		l.problem(name, "%q must be a number from %d to %d", text, low, high)
	}
	return n
}

func (l *loader) duration(name, text string, low, high time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		l.problem(name, "%q must be a duration from %s to %s, such as 2s", text, low, high)
	}
	return d
}

func (l *loader) level(name, text string) (level slog.Level) {
	if level.UnmarshalText([]byte(text)) != nil || !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(text)) {
		l.problem(name, "%q must be debug, info, warn or error", text)
	}
	return level
}

// findUnknown reports unknown variables that begin with FLEET_.
func (l *loader) findUnknown(v *variables, values map[string]string) {
	var known []string
	v.fields(func(name, _, _ string) { known = append(known, name) })
	for name := range values {
		if strings.HasPrefix(name, "FLEET_") && !slices.Contains(known, name) {
			l.problem(name, "is not a variable of this program: see reims-health-fleet --help")
		}
	}
}
