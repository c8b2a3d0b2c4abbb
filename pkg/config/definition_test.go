package config_test

import "testing"

// A service is another one where what is checked is another, and the same where only the
// way there, the rhythm or a secret is.
func TestDefinition(t *testing.T) {
	t.Parallel()
	base := []string{"POD_UID=a", "DATABASE_HOST=db", "OLLAMA_HOST=u:p@ollama"}
	definitions := func(vars ...string) (all [4]string) {
		c, _ := load(t, append(vars, base...)...) // of a variable that is there twice, the first counts
		for i, name := range []string{"database", "redis", "minio", "ollama"} {
			all[i] = c.Definition(name)
		}
		return all
	}
	same := definitions()
	for _, v := range []string{
		"DATABASE_PASSWORD=x", "DATABASE_MIGRATION_URL=postgres://m:p@h/d", "DATABASE_PROBE_INTERVAL=9s", "DATABASE_READINESS_GRACE=9s",
		"DATABASE_PROBE_FAILURE_THRESHOLD=5", "MINIO_SECRET_KEY=x", "MINIO_ACCESS_KEY=x", "REDIS_PASSWORD=x",
		"OLLAMA_HOST=u:other@ollama", "HEALTH_TOKEN=x", "LOG_LEVEL=debug", "HEALTH_SERVICES=database",
	} {
		if definitions(v) != same {
			t.Errorf("%s makes another service of one", v)
		}
	}
	for i, vars := range [4][]string{
		{
			"DATABASE_HOST=other", "DATABASE_PORT=1", "DATABASE_NAME=x", "DATABASE_USER=x", "DATABASE_SSLMODE=disable",
			"DATABASE_ALLOW_REPLICA=on", "DATABASE_SCHEMA_CHECK=off", "DATABASE_READINESS=startup", "ENVIRONMENT=production",
		},
		{"REDIS_HOST=x", "REDIS_PORT=1", "REDIS_DB=1", "REDIS_TLS=on", "REDIS_READINESS=strict"},
		{"MINIO_ENDPOINT=x:1", "MINIO_SECURE=on", "MINIO_BUCKETS=abc", "MINIO_READINESS=strict"},
		{"OLLAMA_HOST=x", "OLLAMA_PORT=1", "OLLAMA_REQUIRED_MODELS=x", "OLLAMA_READINESS=strict"},
	} {
		for _, v := range vars {
			changed := definitions(v)
			for j := range changed {
				if (changed[j] != same[j]) != (i == j) {
					t.Errorf("%s: definition %d changed: %t", v, j, changed[j] != same[j])
				}
			}
		}
	}
	other := definitions("POD_UID=b")
	for i := range other {
		if other[i] == same[i] {
			t.Errorf("definition %d is the same in another Pod", i)
		}
	}
	c, _ := load(t, base...)
	if c.Definition("database", "schema", "1") == c.Definition("database", "schema", "2") {
		t.Error("a fact changes nothing")
	}
}
