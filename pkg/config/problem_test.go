package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// problems reads an environment and returns what is wrong with it.
func problems(t *testing.T, environ ...string) []config.Problem {
	t.Helper()
	c, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, Environ: environ})
	if err == nil {
		return nil
	}
	var all *config.Error
	if !errors.As(err, &all) || c != nil {
		t.Fatalf("config %v, error %T", c, err)
	}
	return all.Problems
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		environ string // separated by |
		want    string // the one problem, or "" for none
	}{
		// Syntax.
		{"HEALTH_ADDR=8008", `HEALTH_ADDR: "8008" is not an address to listen on: give :port or address:port, such as :8008 or 127.0.0.1:8008`},
		{"HEALTH_ADDR=:http", `HEALTH_ADDR: ":http" is not an address`},
		{"METRICS_ADDR=:65536", `METRICS_ADDR: ":65536" is not an address`},
		{"HEALTH_DETAILS=fulll", `HEALTH_DETAILS: "fulll" is none of full, safe, off`},
		{"HEALTH_TOKEN=two words", `HEALTH_TOKEN: the value cannot be sent in a header`},
		{"HEALTH_DOCS_URL=docs.example", `HEALTH_DOCS_URL: "docs.example" is not the URL of the documentation`},
		{"HEALTH_DOCS_URL=https://docs.example/?page=a", `HEALTH_DOCS_URL: the value is not the URL of the documentation`},
		{"HEALTH_DOCS_URL=https:///docs", `HEALTH_DOCS_URL: "https:///docs" is not the URL of the documentation`},
		{"HEALTH_DOCS_URL=javascript:alert(1)", `HEALTH_DOCS_URL: "javascript:alert(1)" is not the URL of the documentation`},
		{"HEALTH_ALLOWED_ORIGINS=https://a.example/", `HEALTH_ALLOWED_ORIGINS: "https://a.example/" is not an origin`},
		{"HEALTH_ALLOWED_ORIGINS=a.example", `HEALTH_ALLOWED_ORIGINS: "a.example" is not an origin`},
		{"HEALTH_ALLOWED_ORIGINS=null", `HEALTH_ALLOWED_ORIGINS: "null" is not an origin`},
		{"HEALTH_OVERRIDE_FILE=ready", `HEALTH_OVERRIDE_FILE: the value is not the path of a file`},
		{"DATABASE_HOST=db:5432", `DATABASE_HOST: "db:5432" is not a host name or an IP address: leave out scheme`},
		{"DATABASE_HOST=a,b", `DATABASE_HOST: "a,b" is not a host name`},
		{"DATABASE_HOST=postgres://u:pw@db/x", `DATABASE_HOST: the value is not a host name`},
		{"DATABASE_HOST=host=db password=pw", `DATABASE_HOST: the value is not a host name`},
		{"DATABASE_NAME=a\nb", `DATABASE_NAME: the value holds a line break`},
		{"DATABASE_PORT=0", `DATABASE_PORT: "0" is not a whole number from 1 to 65535`},
		{"DATABASE_PORT=0x1538", `DATABASE_PORT: "0x1538" is not a whole number`},
		{"DATABASE_PORT=99999999999999999999", `DATABASE_PORT: "99999999999999999999" is not a whole number`},
		{"DATABASE_SSLKEY=-----BEGIN PRIVATE KEY----- pw/", `DATABASE_SSLKEY: the value is not the path of a file`},
		{"DATABASE_ALLOW_REPLICA=oui", `DATABASE_ALLOW_REPLICA: "oui" is none of on, off, true, false, yes, no, 1, 0`},
		{"DATABASE_ALLOW_REPLICA=01", `DATABASE_ALLOW_REPLICA: "01" is none of on, off, true, false, yes, no, 1, 0`},
		{"REDIS_HOST=/run/redis.sock", `REDIS_HOST: "/run/redis.sock" is not a host name`},
		{"REDIS_DB=-1", `REDIS_DB: "-1" is not a whole number from 0 to`},
		{"REDIS_PROBE_INTERVAL=5", `REDIS_PROBE_INTERVAL: "5" is not a duration: give a number and its unit`},
		{"REDIS_PROBE_INTERVAL=0s", `REDIS_PROBE_INTERVAL: "0s" is not a duration above 0s`},
		{"REDIS_PROBE_TIMEOUT=-1s", `REDIS_PROBE_TIMEOUT: "-1s" is not a duration above 0s`},
		{"REDIS_PROBE_TIMEOUT=25h", `REDIS_PROBE_TIMEOUT: "25h" is longer than 24h`},
		{"REDIS_READINESS_GRACE=-1s", `REDIS_READINESS_GRACE: "-1s" is not a duration, 0s or above`},
		{"REDIS_PROBE_SUCCESS_THRESHOLD=0", `REDIS_PROBE_SUCCESS_THRESHOLD: "0" is not a whole number from 1 to 100`},
		{"REDIS_READINESS=loose", `REDIS_READINESS: "loose" is none of strict, startup, ignore`},
		{"MINIO_ENDPOINT=http://minio:9000", `MINIO_ENDPOINT: "http://minio:9000" is not host[:port]`},
		{"MINIO_ENDPOINT=minio:", `MINIO_ENDPOINT: "minio:" is not host[:port]`},
		{"MINIO_BUCKETS=docs,,x", `MINIO_BUCKETS: "docs,,x" has an empty item`},
		{"MINIO_BUCKETS=docs,my bucket", `MINIO_BUCKETS: "my bucket" is not a bucket name`},
		{"OLLAMA_HOST=ftp://x", `OLLAMA_HOST: the URL's scheme is not http or https`},
		{"OLLAMA_HOST=http:/x", `OLLAMA_HOST: "http:/x" is not a host`},
		{"OLLAMA_HOST=x:0", `OLLAMA_HOST: "x:0" is not a host`},
		{"OLLAMA_HOST=http://x?y=z", `OLLAMA_HOST: the URL has a query`},
		{"OLLAMA_HOST=http://u:p%zz@x", `OLLAMA_HOST: the value is not a host`},
		{"OLLAMA_INFERENCE_MODEL=a,b", `OLLAMA_INFERENCE_MODEL: "a,b" is not the name of one model`},
		{"LOG_LEVEL=" + strings.Repeat("é", 50), `LOG_LEVEL: "` + strings.Repeat("é", 40) + `"… is none of`},

		// Contradictions.
		{"HEALTH_SERVICES=redis,mongo", `MONGO_CHECK: missing, and HEALTH_SERVICES lists "mongo"`},
		{"HEALTH_SERVICES=redis,Redis", `HEALTH_SERVICES: "redis" is listed twice`},
		{"HEALTH_SERVICES=,", `HEALTH_SERVICES: "," has an empty item`},
		{"POD_NAME=Api 0", `POD_NAME: "Api 0" is not the name or the UID of a Kubernetes object`},
		{"HEALTH_POD_REPORTING=on|POD_NAME=api-0|POD_UID=3d9f", `POD_NAMESPACE: missing, and HEALTH_POD_REPORTING=on needs it: fill it in from metadata.namespace`},
		{"HEALTH_POD_REPORTING=on|POD_NAME=api-0|POD_UID=3d9f|POD_NAMESPACE=shop", ""},
		{"HEALTH_STATE_FILE=/run/state", `POD_UID: missing, and HEALTH_STATE_FILE needs it: fill it in from metadata.uid (downward API)`},
		{"HEALTH_STATE_FILE=/run/state|POD_UID=3d9f", ""},
		{"HEALTH_STATE_FILE=/run/./state|POD_UID=3d9f|HEALTH_OVERRIDE_FILE=/run/state", `HEALTH_STATE_FILE: same file as HEALTH_OVERRIDE_FILE: it would be overwritten`},
		{"HEALTH_STATE_FILE=state", `HEALTH_STATE_FILE: the value is not the path of a file`},
		{"POD_NAME=api-0", ""},
		{"HEALTH_ADDR=:9008", `METRICS_ADDR: same address as HEALTH_ADDR`},
		{"HEALTH_ADDR=127.0.0.1:9|METRICS_ADDR=[::]:9", `METRICS_ADDR: same address as HEALTH_ADDR`},
		{"HEALTH_ADDR=127.0.0.1:9|METRICS_ADDR=127.0.0.2:9", ""},
		{"HEALTH_ADDR=:0|METRICS_ADDR=:0", ""},
		{"HEALTH_PEERS=http://peers", `HEALTH_PEERS: "http://peers" is not the name or the address of peers`},
		{"HEALTH_PEERS=10.0.0.1:8008,10.0.0.2:0", `HEALTH_PEERS: "10.0.0.2:0" is not the name or the address of peers`},
		{"HEALTH_PEERS=peers|POD_IP=10.0.0.1|HEALTH_ADDR=:0", `HEALTH_PEERS: has no port, and HEALTH_ADDR has port 0`},
		{"HEALTH_PEERS=peers:8008|POD_IP=fd00::1|HEALTH_ADDR=:0|METRICS_ADDR=:0", ""},
		{"HEALTH_PEERS=10.0.0.1,[fd00::2]:8008,fd00::3", ""},
		{"HEALTH_PEERS_SAMPLE=0", `HEALTH_PEERS_SAMPLE: "0" is not a whole number from 1 to 64`},
		{"HEALTH_PEERS_TIMEOUT=6s", `HEALTH_PEERS_TIMEOUT: "6s" is longer than 5s`},
		{"POD_IP=api-0", `POD_IP: "api-0" is not an IP address`},
		{"MINIO_SHARED_FAULT=stay", `MINIO_SHARED_FAULT: "stay" is none of hold, leave`},
		{"HEALTH_ALLOWED_ORIGINS=*,http://a", `HEALTH_ALLOWED_ORIGINS: * allows every origin`},
		{"DATABASE_PASSWORD=a|DATABASE_PASSWORD_FILE=/b", `DATABASE_PASSWORD: set together with DATABASE_PASSWORD_FILE`},
		{"DATABASE_PASSWORD_FILE=hunter22", `DATABASE_PASSWORD_FILE: the value is not the path of a file`},
		{"DATABASE_SSLMODE=require|DATABASE_HOST=/tmp", `DATABASE_SSLMODE: a Unix socket (DATABASE_HOST) has no TLS`},
		{"DATABASE_SSLMODE=prefer|DATABASE_HOST=/tmp", ""},
		{"ENVIRONMENT=production|DATABASE_HOST=/tmp", ""},
		{"DATABASE_SSLROOTCERT=/ca|DATABASE_SSLMODE=prefer", `DATABASE_SSLROOTCERT: DATABASE_SSLMODE verifies no certificate`},
		{"DATABASE_SSLROOTCERT=/ca|DATABASE_HOST=/tmp", `DATABASE_SSLROOTCERT: a Unix socket`},
		{"DATABASE_SSLROOTCERT=/ca|DATABASE_SSLMODE=require", ""},
		{"DATABASE_SSLMODE=verify-full", ""}, // with the system's certificates
		{"DATABASE_SSLCERT=/c", `DATABASE_SSLCERT: needs its key`},
		{"DATABASE_SSLKEY=/k", `DATABASE_SSLKEY: needs its certificate`},
		{"DATABASE_SSLCERT=/c|DATABASE_SSLKEY=/k|DATABASE_SSLMODE=disable", `DATABASE_SSLCERT: no TLS is used`},
		{"DATABASE_SSLCERT=/c|DATABASE_SSLKEY=/k|DATABASE_HOST=/tmp", `DATABASE_SSLCERT: no TLS is used`},
		{"DATABASE_SSLCERT=/c|DATABASE_SSLKEY=/k", ""},
		{"REDIS_CA_FILE=/ca", `REDIS_CA_FILE: needs REDIS_TLS=on`},
		{"REDIS_CA_FILE=/ca|REDIS_TLS=on", ""},
		{"MINIO_CA_FILE=/ca", `MINIO_CA_FILE: needs MINIO_SECURE=on`},
		{"MINIO_CA_FILE=/ca|MINIO_SECURE=true", ""},
		{"MINIO_CA_FILE=/ca|MINIO_SECURE=1", ""},
		{"MINIO_CA_FILE=/ca|MINIO_SECURE=Yes", ""},
		{"MINIO_CA_FILE=/ca|MINIO_SECURE=0", `MINIO_CA_FILE: needs MINIO_SECURE=on`},
		{"MINIO_CA_FILE=/ca|MINIO_SECURE=No", `MINIO_CA_FILE: needs MINIO_SECURE=on`},
		{"MINIO_PATH_STYLE=0", ""},
		{"MINIO_PATH_STYLE=1", ""},
		{"REDIS_READINESS_GRACE=1s", `REDIS_READINESS_GRACE: needs REDIS_READINESS=strict`},
		{"DATABASE_READINESS=startup|DATABASE_READINESS_GRACE=1s", `DATABASE_READINESS_GRACE: needs DATABASE_READINESS=strict`},
		{"OLLAMA_READINESS=strict|OLLAMA_READINESS_GRACE=1s", ""},
		{"MINIO_PROBE_DEGRADED_LATENCY=2s", `MINIO_PROBE_DEGRADED_LATENCY: not below MINIO_PROBE_TIMEOUT`},
		{"MINIO_PROBE_DEGRADED_LATENCY=2s|MINIO_PROBE_TIMEOUT=20s", ""}, // longer than the interval

		// No contradiction is claimed of a variable that is wrong by itself.
		{"HEALTH_ADDR=x|METRICS_ADDR=:8008", `HEALTH_ADDR: "x" is not an address`},
		{"REDIS_TLS=maybe|REDIS_CA_FILE=/ca", `REDIS_TLS: "maybe" is none of`},
		// A service that is not probed is checked all the same.
		{"HEALTH_SERVICES=redis|DATABASE_PORT=x", `DATABASE_PORT: "x" is not a whole number`},
		// A secret in the wrong place is not shown.
		{"REDIS_PASSWORD=hunter22|REDIS_DB=hunter22", `REDIS_DB: "[redacted]" is not a whole number`},
	}
	for _, tt := range tests {
		got := problems(t, strings.Split(tt.environ, "|")...)
		switch {
		case tt.want == "" && len(got) == 0:
		case tt.want != "" && len(got) == 1 && strings.HasPrefix(got[0].String(), tt.want):
		default:
			t.Errorf("%q\n got %v\nwant %s", tt.environ, got, tt.want)
		}
	}
}

const canary = "cAnArY-7f3a/%+'x"

// wrongs returns an environment in which every variable is wrong.
func wrongs() (environ, variables []string) {
	for _, v := range config.Variables(registry.Kinds().Services()) {
		value := "\x01 " + canary
		if v.Secret {
			value = canary + v.Name
			environ = append(environ, v.Name+"_FILE="+canary+"file")
		}
		environ = append(environ, v.Name+"="+value)
		variables = append(variables, v.Name)
	}
	return environ, variables
}

func TestEveryVariableWrongAtOnce(t *testing.T) {
	t.Parallel()
	environ, want := wrongs()
	slices.Reverse(environ) // the order must be the reference's
	_, warnings, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, Environ: environ})
	var all *config.Error
	if !errors.As(err, &all) {
		t.Fatalf("error %v", err)
	}
	var got []string
	for _, p := range all.Problems {
		got = append(got, p.Variable)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, w := range warnings {
		err = errors.Join(err, errors.New(w.String()))
	}
	if strings.Contains(err.Error(), canary[:11]) {
		t.Errorf("a secret is shown:\n%v", err)
	}
	if lines := strings.Count(all.Error(), "\n"); lines != len(want) {
		t.Errorf("%d lines for %d problems:\n%v", lines, len(want), all)
	}
}

// Secrets that are good stay hidden while everything else is wrong.
func TestNoSecretBesideOtherProblems(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, v := range config.Variables(registry.Kinds().Services()) {
		if v.Secret {
			environ = append(environ, v.Name+"="+canary)
			continue
		}
		environ = append(environ, v.Name+"=http://user:"+canary+"@host:x")
	}
	for _, p := range problems(t, environ...) {
		if strings.Contains(p.String(), canary[:11]) {
			t.Errorf("a secret is shown: %v", p)
		}
	}
}

// Reporting names each variable that it lacks.
func TestPodReportingLacksAll(t *testing.T) {
	t.Parallel()
	var variables []string
	for _, p := range problems(t, "HEALTH_POD_REPORTING=on") {
		variables = append(variables, p.Variable)
	}
	if want := []string{"POD_NAME", "POD_NAMESPACE", "POD_UID"}; !slices.Equal(variables, want) {
		t.Errorf("%q, want %q", variables, want)
	}
}
