package chart_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// hostile are texts that somebody has written in the place of a value.
var hostile = []string{
	"db", "10.0.0.1", "::1", "fe80::1%eth0", "[::1]:9000", "1:2:3:4:5:6:7:8:9", "db:5432", "db:0", "db:65536", ":8008", "db:",
	"postgres://u:secret-word@db/reims", "redis://db", "http://db:9000", "https://a.example", "HTTPS://A.example:443", "https://a.example/", "http://u:p@a",
	"/var/run/postgresql", "./file", "file", "-----BEGIN CERTIFICATE-----/", "a b", "a,b", "a,a", "a,,b", ",", "*", "*,https://a.example",
	"https://a.example,https://A.example:443", "abc,abc", "abc , abd", "tiny", "tiny:latest,tiny", "-a", "é",
	"0", "1", "010", "-1", "+5", "70000", "99999999999999999999", "5s", "0s", "-1s", "500ms", "1m30s", "24h", "26h", "24h0m1s", "1.5s", ".5s", "1.s", "5", "5 s", "9999999h",
	"on", "OFF", "true", "yes", "strict", "Startup", "ignore", "disable", "verify-full", "PREFER", "production", "prod", "debug", "json", "full", "safe", "database,redis", "redis,Redis", "mongo",
	" db ", "", "  ", "a\tb", "line\nbreak", "api-0", "Api 0",
}

// The chart's templates judge each variable as the program does: alone, and with others that
// it must not contradict. Thousands of environments are judged in one rendering.
func TestVariablesAreRefusedAsByTheProgram(t *testing.T) {
	t.Parallel()
	var cases []map[string]string
	named, err := registry.Kinds().Examples("named-service")
	if err != nil {
		t.Fatal(err)
	}
	rules := config.Export(registry.Kinds().Services(), named...)
	alike := make(map[string]bool) // variables under the same rule; one is enough
	for _, v := range config.Variables(registry.Kinds().Services()) {
		rule, err := yaml.Marshal(rules.Variables[v.Name])
		if err != nil {
			t.Fatal(err)
		}
		if alike[string(rule)] {
			continue
		}
		alike[string(rule)] = true
		for _, text := range hostile {
			cases = append(cases, map[string]string{v.Name: text})
		}
		if v.Secret {
			cases = append(cases, map[string]string{v.Name + "_FILE": "/run/secret"}, map[string]string{v.Name + "_FILE": "secret"})
		}
	}
	for _, c := range rules.Contradictions {
		cases = append(cases, combinations(c.Variables)...)
	}
	for _, s := range named {
		cases = append(cases, casesOf(t, s, rules, alike)...)
	}
	for _, check := range hostileChecks {
		cases = append(cases, map[string]string{"HEALTH_SERVICES": "redis,shop", "SHOP_CHECK": check})
	}
	cases = append(cases, map[string]string{"HEALTH_SERVICES": "health-peers", "HEALTH_PEERS_CHECK": "s3s://host", "HEALTH_PEERS_ACCESS_KEY": "a", "HEALTH_PEERS_SECRET_KEY": "b"})
	cases = append(cases, map[string]string{"HEALTH_SERVICES": "a-1,a1", "A_1_CHECK": "ollama://host", "A1_CHECK": "ollama://host"})
	cases = distinct(append(cases, many(16), many(17)))
	if len(cases) < 2000 {
		t.Fatalf("%d environments", len(cases))
	}
	dir := filepath.Join(t.TempDir(), "reims-health")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(charts(t), "reims-health"))); err != nil {
		t.Fatal(err)
	}
	const judge = `kind: ConfigMap
data:
  refused: |
{{- $rules := .Files.Get "files/configuration.json" | fromJson }}
{{- range $i, $env := .Values.global.cases }}
{{- range include "reims-health.variables.check" (dict "rules" $rules "env" $env) | fromJsonArray }}
    {{ $i }} {{ .variable }}
{{- end }}
{{- end }}
`
	write(t, filepath.Join(dir, "templates", "judge.yaml"), judge)
	write(t, filepath.Join(dir, "templates", "NOTES.txt"), "")
	values, err := yaml.Marshal(map[string]any{"global": map[string]any{"cases": cases}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, string(values))
	byProgram := make([][]string, len(cases)) // asked once: under the race detector this costs more than both renderings
	for i, env := range cases {
		byProgram[i] = refusedByProgram(t, env)
	}
	for _, helm := range helms {
		out := mustTool(t, nil, helm, "template", "rel", dir, "--kube-version", kubeVersions[1], "--values", file,
			"--values", filepath.Join(dir, "ci/hook-values.yaml"), "--show-only", "templates/judge.yaml")
		refused := make(map[string]bool)
		for line := range strings.Lines(out) {
			refused[strings.TrimSpace(line)] = true
		}
		for i, env := range cases {
			compare(t, helm, i, env, refused, byProgram[i])
		}
	}
}

// hostileChecks are texts in the place of a URL. What the templates leave to the program,
// such as whether the host is one, is not among them.
var hostileChecks = []string{
	"", "  ", "shop", "shop:80", "://host", "ftp://host", "POSTGRES://host", "Ollama://host:11434", "postgres://app@host/shop?sslmode=require",
	"postgres://app:secret-word@host/shop", "postgres://:secret-word@host", "postgres://app:@host", "postgres://a@b:c@host", "ollama://host/#x", "ollama://host\nx", "\tollama://host ",
	"tcp://host", "tls://host/", "grpc://host", "grpcs://host/service", "tcp://host:1", "tcp://host:1/", "tcp://host:1/path", "tcp://host:", "tcp://host:http", "tcp://u@host:1", "tcp://a:1,b:1",
	"https://", "https:///path", "https://a b", "https://host", "https://HOST:8443/a/b?c=d", "https://u@host", "https://[::1]:80/x", "https://::1", "https://a,b",
	"redis://r/x", "redis://r/0", "redis://r/0/1", "redis://r?db=1", "rediss://u@r:1/3", "redis+sentinel://a,b", "redis+sentinel://a,b:1/master", "redis+sentinel://a/b/c", "redis+sentinel://a,/m", "redis+sentinel://a/m?x",
	"s3://host/bucket", "s3s://host:1", "s3://host?x", "postgres://h/a/b", "postgres://h?sslmode=require", "postgres://a,b/c", "ollama://host/path", "ollama://u@host", "grpc://host:1/a.b.Service",
}

// casesOf are environments with a service that NAME_CHECK defines: each of its variables
// alone, and those that must not contradict each other.
func casesOf(t *testing.T, s *config.Service, rules config.Rules, alike map[string]bool) (cases []map[string]string) {
	t.Helper()
	scheme, _, _ := strings.Cut(s.Origin.Check, "://")
	add := func(env map[string]string) {
		whole := map[string]string{"HEALTH_SERVICES": "named-service", "NAMED_SERVICE_CHECK": s.Origin.Check}
		for name, value := range env {
			whole["NAMED_SERVICE_"+name] = value
		}
		cases = append(cases, whole)
	}
	add(nil)
	for name, variable := range rules.Schemes[scheme].Variables {
		rule, err := yaml.Marshal(variable)
		if err != nil {
			t.Fatal(err)
		}
		if name == "CHECK" || variable.Format == "regexp" || alike[string(rule)] {
			continue // which are not, or not only, a matter of patterns
		}
		alike[string(rule)] = true
		for _, text := range hostile {
			add(map[string]string{name: text})
		}
	}
	for _, c := range rules.Schemes[scheme].Contradictions {
		for _, env := range combinations(c.Variables) {
			add(env)
		}
	}
	return cases
}

// many is an environment with as many services.
func many(count int) map[string]string {
	env, names := make(map[string]string), make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("s%d", i)
		env[fmt.Sprintf("S%d_CHECK", i)] = "ollama://host"
	}
	env["HEALTH_SERVICES"] = strings.Join(names, ",")
	return env
}

// distinct are the environments without those that came before.
func distinct(all []map[string]string) (cases []map[string]string) {
	seen := make(map[string]bool)
	for _, env := range all {
		if key := fmt.Sprintf("%q", env); !seen[key] { // in the order of its names
			seen[key] = true
			cases = append(cases, env)
		}
	}
	return cases
}

// compare holds what the templates refuse in one environment against what the program does.
func compare(t *testing.T, helm string, i int, env map[string]string, refused map[string]bool, byProgram []string) {
	t.Helper()
	for _, name := range slices.Concat(slices.Collect(maps.Keys(env)), byProgram) {
		byChart := refused[fmt.Sprintf("%d %s", i, name)]
		if byChart != slices.Contains(byProgram, name) {
			t.Errorf("%s: %q: %s is refused by the chart: %t, by the program: %t", helm, env, name, byChart, !byChart)
		}
	}
}

// refusedByProgram are the variables that it names. Two rules no value of the chart can
// break, and of the keys for S3 it tells by its values.
func refusedByProgram(t *testing.T, env map[string]string) (names []string) {
	t.Helper()
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	_, _, err := config.Load(config.Options{Environ: environ, Services: registry.Kinds().Services(), Named: registry.Kinds().Named})
	if err == nil {
		return nil
	}
	for line := range strings.Lines(err.Error()) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && strings.ToUpper(name) == name && !strings.HasPrefix(text, "same address") && !strings.HasPrefix(text, "same file") &&
			!strings.HasPrefix(text, "missing: each request is signed") {
			names = append(names, name)
		}
	}
	return names
}

// combinations give each of the variables what breaks or keeps the rules in pkg/config.
func combinations(variables []string) []map[string]string {
	all := []map[string]string{{}}
	for _, name := range variables {
		var next []map[string]string
		words := []string{"", "/a", "on", "false", "disable", "verify-full", "0s", "2s", "3s", "strict", "Ignore"}
		if len(variables) > 2 {
			words = []string{"", "/a", "on", "disable"}
		}
		for _, text := range words {
			for _, env := range all {
				env := maps.Clone(env)
				env[name] = text
				next = append(next, env)
			}
		}
		all = next
	}
	return all
}

// environment is that of a container, with something for what comes from the Pod.
func environment(c object) map[string]string {
	env := make(map[string]string)
	for _, e := range c.list("env") {
		switch {
		case e["value"] != nil:
			env[e.text("name")] = e.text("value")
		case e.text("valueFrom", "fieldRef", "fieldPath") == "status.podIP":
			env[e.text("name")] = "10.0.0.1"
		default:
			env[e.text("name")] = "from-the-pod"
		}
	}
	return env
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the values of the chart say is refused exactly where a container that it would make
// refuses its environment and ends with exit code 2.
func TestValuesAreRefusedAsByTheProgram(t *testing.T) {
	t.Parallel()
	tests := []string{
		"{}", "redis: {host: redis}", "redis: {host: 'redis://:secret-word@redis:6379'}", "redis: {host: redis, port: 1}", "redis: {host: 'redis:6379'}",
		"database: {host: 'postgres://u:secret-word@pg/reims'}", "database: {host: /var/run/postgresql}", "database: {host: /run, sslMode: require}", "database: {host: 'a,b'}",
		"minio: {endpoint: 'http://minio:9000', existingSecret: m}", "minio: {endpoint: 'minio:9000', existingSecret: m}", "minio: {endpoint: 'minio/bucket', existingSecret: m}",
		"minio: {endpoint: minio, existingSecret: m, buckets: [docs, docs]}", "minio: {endpoint: minio, existingSecret: m, buckets: [a]}", "minio: {endpoint: minio, existingSecret: m, buckets: [docs, pics]}",
		"ollama: {host: 'http://ollama:11434/x'}", "ollama: {host: 'ftp://ollama'}", "ollama: {host: ollama, requiredModels: [tiny, tiny]}", "ollama: {host: ollama, inferenceModel: 'a,b'}",
		"database: {probe: {interval: 0s}}", "database: {probe: {timeout: 0s}}", "database: {probe: {degradedLatency: 3s}}", "database: {probe: {degradedLatency: 2s}}", "database: {probe: {degradedLatency: 1999ms}}",
		"database: {probe: {degradedLatency: 3s, timeout: 4s}}", "database: {readinessGrace: 26h}", "database: {readinessGrace: 24h}", "database: {readinessGrace: 0s}", "database: {readiness: startup}",
		"database: {sslMode: disable, tls: {existingSecret: c, caKey: ca.crt}}", "database: {sslMode: prefer, tls: {existingSecret: c, caKey: ca.crt}}", "database: {sslMode: verify-ca, tls: {existingSecret: c, caKey: ca.crt}}",
		"database: {sslMode: disable, tls: {existingSecret: c, certKey: a, keyKey: b}}", "database: {host: /run, tls: {existingSecret: c, certKey: a, keyKey: b}}",
		"sidecar: {allowedOrigins: [status.example.com]}", "sidecar: {allowedOrigins: ['https://a.example', '*']}", "sidecar: {allowedOrigins: ['https://a.example/']}", "sidecar: {allowedOrigins: ['https://a.example']}",
		"peers: {timeout: 5s}", "peers: {timeout: 5001ms}", "peers: {timeout: 0s}", "peers: {sample: 64}", "database: {sharedFault: leave}",
		"sidecar: {extraEnv: [{name: HEALTH_PEERS_TIMEOUT, value: 6s}]}", "{peers: {enabled: false}, sidecar: {extraEnv: [{name: HEALTH_PEERS, value: 'http://a:1'}]}}",
		"sidecar: {extraEnv: [{name: DATABASE_READINESS_GRACE_X, value: x}]}", "sidecar: {extraEnv: [{name: REDIS_PORT, value: x}]}", "sidecar: {extraEnv: [{name: REDIS_CA_FILE, value: /ca}]}",
		"sidecar: {extraEnv: [{name: HEALTH_TOKEN, value: two words}]}", "migrations: {database: {host: 'pg:5432'}}", "migrations: {extraEnv: [{name: MIGRATE_LOCK_WAIT, value: soon}]}", "migrations: {extraEnv: [{name: MIGRATE_LOCK_WAIT, value: 0s}]}",
		"services: {orders: {check: 'postgres://app@db/orders', existingSecret: o, caSecret: ca, readiness: strict, readinessGrace: 30s, env: {SSLMODE: verify-ca, APP_CONNECTIONS: off}}}",
		"services: {orders: {check: 'postgres://app:secret-word@db/orders'}}", "services: {orders: {check: 'mysql://db'}}", "services: {orders: {check: 'postgres://db', caSecret: ca, env: {SSLMODE: prefer}}}",
		"services: {orders: {check: 'postgres://db', env: {SSLMODE: sometimes}}}", "services: {orders: {check: 'postgres://db', readinessGrace: 5s}}", "services: {orders: {check: 'postgres://db', existingSecret: c, certKey: tls.crt}}",
		"services: {cache: {check: 'rediss://app@cache:6380/2', existingSecret: c, caSecret: ca}}", "services: {cache: {check: 'redis://cache', caSecret: ca}}", "services: {queue: {check: 'redis+sentinel://a,b,c/mymaster', existingSecret: c, passwordKey: password, sentinelPasswordKey: sentinel}}",
		"services: {shop: {check: 'https://shop/healthz', existingSecret: s, caSecret: ca, env: {EXPECT_STATUS: [200, 300-399], EXPECT_BODY: ^ok}}}", "services: {shop: {check: 'http://shop', caSecret: ca}}", "services: {shop: {check: 'http://shop', env: {EXPECT_STATUS: 99}}}",
		"services: {shop: {check: 'https://shop', existingSecret: s, certKey: tls.crt}}", "services: {shop: {check: 'https://shop', existingSecret: s, certKey: tls.crt, keyKey: tls.key}}",
		"services: {llm: {check: 'ollama://llm', probe: {degradedLatency: 5s}}}", "services: {llm: {check: 'ollama://llm', probe: {degradedLatency: 5s, timeout: 6s, failureThreshold: 3}}}", "services: {llm: {check: 'ollama://llm', env: {REQUIRED_MODELS: [tiny, tiny]}}}",
		"services: {docs: {check: 's3s://docs', existingSecret: d, caSecret: ca, env: {BUCKETS: [docs, pics], PATH_STYLE: false, REGION: eu-central-1}}}", "services: {docs: {check: 's3://docs', existingSecret: d, caSecret: ca}}",
		"redis: {host: r}\nsidecar: {extraEnv: [{name: REDIS_SENTINELS, value: '[[\"a\",1]]'}]}", "redis: {host: r}\nsidecar: {extraEnv: [{name: REDIS_SENTINELS, value: a}, {name: REDIS_SENTINEL_MASTER, value: m}]}", "redis: {host: 'r:1'}\nsidecar: {extraEnv: [{name: REDIS_SENTINELS, value: a;b}]}",
		"sidecar: {extraEnv: [{name: MINIO_PATH_STYLE, value: 'No'}]}", "sidecar: {extraEnv: [{name: MINIO_PATH_STYLE, value: '2'}]}", "sidecar: {extraEnv: [{name: MINIO_CA_FILE, value: /ca}, {name: MINIO_SECURE, value: '0'}]}",
		"services: {queue: {check: 'redis+sentinel://[fe80::1%25eth0]:26379/mymaster', existingSecret: c}}", "services: {docs: {check: 's3://docs', existingSecret: d, env: {PATH_STYLE: 'yes', REGION: eu-central-1}}}", "services: {docs: {check: 's3s://docs', existingSecret: d, env: {PATH_STYLE: auto}}}",
		"services: {docs: {check: 's3://docs', existingSecret: d, env: {REGION: 'a b'}}}", "services: {health-peers: {check: 's3s://docs', existingSecret: d}}", "services: {a1: {check: 'ollama://a'}, a-1: {check: 'ollama://a'}}",
	}
	dir := filepath.Join(t.TempDir(), "reims-health") // the same chart, which refuses nothing
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(charts(t), "reims-health"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "templates", "zz.tpl"), `{{- define "reims-health.validate" }}{{ end }}`)
	if err := os.Remove(filepath.Join(dir, "templates", "_validate.tpl")); err != nil {
		t.Fatal(err)
	}
	var refusals atomic.Int64
	t.Run("values", func(t *testing.T) {
		for n, values := range tests {
			t.Run(strconv.Itoa(n), func(t *testing.T) { // a comma in the name would be one in the file's, where Helm sees two files
				t.Parallel()
				if refusedAlike(t, dir, values) {
					refusals.Add(1)
				}
			})
		}
	})
	if n := refusals.Load(); n < 15 || n == int64(len(tests)) {
		t.Errorf("%d of %d are refused", n, len(tests))
	}
}

// refusedAlike holds what the chart makes of the values against what the program says of the
// containers, and returns whether the chart refuses them. What it refuses is rendered once
// more, by the chart in dir that refuses nothing.
func refusedAlike(t *testing.T, dir, values string) bool {
	t.Helper()
	chart := filepath.Join(charts(t), "reims-health")
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, values)
	args := []string{"template", "rel", chart, "--values", filepath.Join(chart, "ci/hook-values.yaml"), "--values", file, "--kube-version", kubeVersions[1]}
	manifests, err := tool(t, nil, "helm4", args...)
	if err != nil {
		if !strings.Contains(err.Error(), sentences) {
			t.Errorf("%s: refused without a sentence: %v", values, err)
		}
		if strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: shows the password: %v", values, err)
		}
		args[2] = dir
		manifests = mustTool(t, nil, "helm4", args...)
	}
	var byProgram []string
	for _, o := range decode(t, manifests) {
		for _, c := range containers(o.pod()) {
			if c.text("name") == "api" {
				continue
			}
			byProgram = append(byProgram, refusedByProgram(t, environment(c))...)
		}
	}
	if (err != nil) != (len(byProgram) > 0) {
		t.Errorf("%s: refused by the chart: %v; by the program: %v", values, err, byProgram)
	}
	return err != nil
}
