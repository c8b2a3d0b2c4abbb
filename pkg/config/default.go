package config

import "time"

// Default returns the configuration of an empty environment.
func Default() *Config {
	c := &Config{
		Health: Health{
			Addr:        ":8008",
			MetricsAddr: ":9008",
			Services:    []string{"database", "redis", "minio", "ollama"},
			Details:     "full",
			Page:        true,
			LogLevel:    "info",
			LogFormat:   "auto",
			Environment: "development",
		},
		Database: Database{
			Host: "localhost", Port: 5432, Name: "reims", User: "postgres",
			SchemaCheck:    true,
			AppConnections: true,
			Probe:          probe(5*time.Second, 2*time.Second, "strict"),
		},
		Redis: Redis{
			Host: "localhost", Port: 6379,
			Probe: probe(5*time.Second, 2*time.Second, "ignore"),
		},
		MinIO: MinIO{
			Endpoint:  "localhost:9000",
			AccessKey: newSecret(secret{value: "minioadmin"}),
			SecretKey: newSecret(secret{value: "minioadmin"}),
			Probe:     probe(10*time.Second, 2*time.Second, "ignore"),
		},
		Ollama: Ollama{
			Host: "localhost", Port: 11434,
			Probe: probe(10*time.Second, 5*time.Second, "ignore"),
		},
		Migrate: Migrate{
			ConnectTimeout: 30 * time.Second, LockWait: 2 * time.Minute,
			LockTimeout: 5 * time.Second, StatementTimeout: 10 * time.Minute,
		},
		redactor: new(Redactor),
		hinter:   newHinter(),
	}
	for _, v := range variables(c) {
		v.bindSecret(c)
	}
	return c
}

func probe(interval, timeout time.Duration, readiness string) Probe {
	return Probe{
		Interval: interval, Timeout: timeout,
		FailureThreshold: 2, SuccessThreshold: 1,
		Readiness: readiness,
	}
}
