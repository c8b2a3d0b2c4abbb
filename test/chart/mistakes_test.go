package chart_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// mistakes are what people write who install a chart for the first time, and what they are told.
var mistakes = []struct {
	name, values string
	want         string
	byLint       bool // a value that no release could have: helm lint fails too
}{
	{"a misspelt key", "databse: {host: postgres}", "- unknown value databse: did you mean database?", true},
	{"a key of another chart", "replicaCount: 3", "- unknown value replicaCount: did you mean deployment.replicas?", true},
	{"a port in quotes", "redis: {host: redis, port: '6379'}", "- redis.port is the text \"6379\", and should be a whole number from 1 to 65535, without quotes: redis.port: 6379.", true},
	{"a duration as a number", "database: {readinessGrace: 30}", "- database.readinessGrace is the number 30, and should be a duration with its unit, such as database.readinessGrace: 30s.", true},
	{"a mode that is none", "migrations: {mode: before}", "- migrations.mode is the text \"before\", and should be one of \"\", hook, job, off.", true},
	{"an address in the place of a group", "redis: redis.example.com", "- redis is a text, and should be a map of values, such as redis.host: redis.example.com.", true},
	{"a version that YAML reads as a number", "api: {image: {tag: 1.10}}", "- api.image.tag is the number 1.1, and should be a text, in quotes: api.image.tag: \"1.1\".", true},
	{"environment as a map", "api: {env: {LOG_LEVEL: debug}}", "- api.env is a map, and should be a list, such as api.env: [{\"name\":\"LOG_LEVEL\",\"value\":\"debug\"}].", true},
	{"a password", "database: {password: hunter2}", "- unknown value database.password: did you mean database.existingSecret?", true},
	{"a token in the place of its Secret", "sidecar: {token: hunter2}", "- sidecar.token is a text, and should be a map of values, such as sidecar.token.key: token.", true},
	{"a host with a scheme", "redis: {host: 'redis://redis:6379'}", "- redis.host: \"redis://redis:6379\" is not a host name or an IP address: leave out scheme, port, path and credentials.", false},
	{"no Secret", "database: {existingSecret: ''}", "- migrations.mode hook runs before the objects of this release exist, so it needs an existing Secret with the password: create one, and set its name in database.existingSecret or migrations.database.existingSecret.", false},
	{"no keys for MinIO", "minio: {endpoint: 'minio:9000'}", "- minio.endpoint is set and minio.existingSecret is not: the sidecar would log in as minioadmin, MinIO's public default. Name a Secret with the keys.", false},
	{"MinIO with a scheme", "minio: {endpoint: 'https://minio:9000', existingSecret: m}", "- minio.endpoint: \"https://minio:9000\" is not host[:port]: leave out scheme and path (minio.tls.enabled turns TLS on).", false},
	{"no database", "database: {host: null}", "- migrations.mode is hook, but no database is set: set database.host, or migrations.mode to off.", false},
}

// Each is told in one sentence, by both Helms, with what to write instead. No value that could be a
// password is shown.
func TestMistakesOfNewcomers(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health")
	for _, m := range mistakes {
		for _, helm := range helms {
			t.Run(m.name+"/"+helm, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "values.yaml")
				write(t, file, m.values)
				args := []string{chart, "--values", filepath.Join(chart, "ci/hook-values.yaml"), "--values", file, "--kube-version", kubeVersions[1]}
				_, err := tool(t, nil, helm, append([]string{"template", "rel"}, args...)...)
				if err == nil || !strings.Contains(err.Error(), sentences) || !strings.Contains(err.Error()+"\n", m.want+"\n") || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("helm template: want %q in\n%v", m.want, err)
				}
				_, err = tool(t, nil, helm, append([]string{"lint"}, args...)...)
				if (err != nil) != m.byLint {
					t.Errorf("helm lint fails: %t: %v", err != nil, err)
				}
				if err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), `\"`, `"`), m.want) {
					t.Errorf("helm lint: want %q in\n%v", m.want, err)
				}
			})
		}
	}
}

// An editor holds the few values of a user against the schema, which marks every mistake. Helm
// gives it the defaults as well, and leaves the rest to the templates.
func TestSchemaIsStrictInEditors(t *testing.T) {
	t.Parallel()
	chart := shapeless(t, "reims-health")
	write(t, filepath.Join(chart, "values.yaml"), "{}\n")
	tests := map[string]string{
		"databse: {host: postgres}": "additional properties 'databse' not allowed",
		"redis: {port: '6379'}":     "at '/redis/port': got string, want integer",
		"sidecar: {mode: before}":   "at '/sidecar/mode': value must be one of",
	}
	for text, want := range tests {
		file := filepath.Join(t.TempDir(), "values.yaml")
		write(t, file, text)
		_, err := tool(t, nil, "helm4", "template", "rel", chart, "--values", file)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q: %v", text, want, err)
		}
	}
}
