package golden_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
)

// TestHelp holds the help of every command that the help of another one names.
func TestHelp(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for commands := [][]string{nil}; len(commands) > 0; commands = commands[1:] {
		command := commands[0]
		help := run(t, nil, append(slices.Clone(command), "--help")...)
		b.WriteString(help + "\n")
		_, list, _ := strings.Cut(help, "Available Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for _, found := range regexp.MustCompile(`(?m)^  (\w+)`).FindAllStringSubmatch(list, -1) {
			if found[1] != "completion" && found[1] != "help" { // the library's own
				commands = append(commands, append(slices.Clone(command), found[1]))
			}
		}
	}
	compare(t, "help.txt", b.String())
}

// TestConfig holds what `config` prints of values from the environment, from files and
// by default.
func TestConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, empty, absent := write("secret", "canary-file\n"), write("empty", ""), filepath.Join(dir, "absent")
	file := write("env", "# a comment\nexport REDIS_HOST=redis.example\nREDIS_PORT=\"7000\"\nHEALTH_DETAILS=safe\nREDIS_PASSWORD=canary-env-file\n"+
		"MINIO_BUCKETS=reports,uploads\nOLLAMA_REQUIRED_MODELS='llama3, phi3:mini'\nLOG_LEVEL=debug\n")
	texts := map[string][]string{
		"config_default": nil,
		"config_environment": {
			"ENVIRONMENT=production", "HEALTH_ADDR=127.0.0.1:18008", "METRICS_ADDR=:19008", "HEALTH_SERVICES=redis,database", "HEALTH_DETAILS=safe",
			"HEALTH_TOKEN=canary-token", "HEALTH_PAGE=off", "HEALTH_ALLOWED_ORIGINS=https://a.example,http://b.example:8080",
			"HEALTH_OVERRIDE_FILE=/etc/override", "HEALTH_STATE_FILE=/run/state", "LOG_LEVEL=warn", "LOG_FORMAT=text",
			"HEALTH_POD_REPORTING=on", "POD_NAME=api-0", "POD_NAMESPACE=shop", "POD_UID=3d9f",
			"DATABASE_HOST=db.example", "DATABASE_PORT=6432", "DATABASE_NAME=it's", "DATABASE_USER=app", "DATABASE_PASSWORD=canary-database",
			"DATABASE_SSLROOTCERT=/ca.pem", "DATABASE_SSLCERT=/cert.pem", "DATABASE_SSLKEY=/key.pem", "DATABASE_ALLOW_REPLICA=true",
			"DATABASE_SCHEMA_CHECK=false", "DATABASE_APP_CONNECTIONS=off", "DATABASE_MIGRATION_URL=postgres://owner:canary-owner@db.example/reims",
			"DATABASE_PROBE_INTERVAL=1m30s", "DATABASE_PROBE_TIMEOUT=1500ms", "DATABASE_PROBE_FAILURE_THRESHOLD=3",
			"DATABASE_PROBE_SUCCESS_THRESHOLD=2", "DATABASE_PROBE_DEGRADED_LATENCY=100ms", "DATABASE_READINESS=strict", "DATABASE_READINESS_GRACE=30s",
			"REDIS_HOST=::1", "REDIS_PORT=6380", "REDIS_USERNAME=app", "REDIS_PASSWORD=canary-redis", "REDIS_DB=3", "REDIS_TLS=on",
			"REDIS_CA_FILE=/ca.pem", "REDIS_ALLOW_REPLICA=on", "REDIS_READINESS=startup",
			"MINIO_ENDPOINT=minio.example:443", "MINIO_ACCESS_KEY=canary-access", "MINIO_SECRET_KEY=canary-minio", "MINIO_SECURE=on",
			"MINIO_BUCKETS=reports,uploads", "MINIO_CA_FILE=/ca.pem",
			"OLLAMA_HOST=https://user:canary-ollama@ollama.example/api/", "OLLAMA_PORT=1234", "OLLAMA_REQUIRED_MODELS=llama3,phi3:mini",
			"OLLAMA_INFERENCE_MODEL=phi3:mini", "MIGRATE_CONNECT_TIMEOUT=1s", "MIGRATE_RETRY_FOR=1m",
			"MIGRATE_SECRET=database", "MIGRATE_LOCK_WAIT=3m", "MIGRATE_LOCK_TIMEOUT=4s", "MIGRATE_STATEMENT_TIMEOUT=0s",
		},
		"config_files": {
			"REDIS_PORT=7001", "HEALTH_TOKEN_FILE=" + secret, "DATABASE_PASSWORD_FILE=" + empty, "DATABASE_MIGRATION_URL_FILE=" + absent,
			"MINIO_ACCESS_KEY_FILE=" + secret, "MINIO_SECRET_KEY_FILE=" + secret,
		},
		// What may be meant for others, or may be a mistake, is warned of.
		"config_warnings": {
			"REDIS_PORT=tcp://10.0.0.1:6379", "DATABASE_PORT=tcp://10.0.0.2:5432", "OLLAMA_PORT=tcp://10.0.0.3:11434", "DATABSE_HOST=x",
			"DATABASE_PASWORD=canary-misspelt", "HEALTH_TOKEN=canary-token", "MINIO_ENDPONT=x", "REDIS_PROBE_INTERVALL=1s", "PGHOST=elsewhere", "HTTP_PROXY=http://proxy",
		},
	}
	for name, env := range texts {
		args := []string{"config"}
		if name == "config_files" {
			args = append(args, "--env-file", file)
		}
		got := run(t, env, args...)
		if name != "config_default" && name != "config_warnings" {
			got += run(t, env, append(args, "--output", "json")...)
		}
		compare(t, name+".txt", strings.ReplaceAll(got, dir, "<dir>"))
	}
}

// TestConfigErrors holds the list of all that is wrong: with every variable by itself,
// with what contradicts itself, and with the command line.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	wrong := everythingWrong(t)
	listed := run(t, wrong, "config")
	compare(t, "errors_syntax.txt", listed)
	if served := run(t, wrong, "serve"); strings.Replace(served, "serve", "config", 1) != listed {
		t.Errorf("serve lists other errors than config:\n%s", served)
	}
	compare(t, "errors_contradictions.txt", run(t, []string{
		"HEALTH_ADDR=:9008", "HEALTH_SERVICES=redis,mongo,Redis", "HEALTH_ALLOWED_ORIGINS=*,http://a", "HEALTH_STATE_FILE=/run/./state",
		"HEALTH_OVERRIDE_FILE=/run/state", "HEALTH_POD_REPORTING=on", "DATABASE_HOST=/tmp", "DATABASE_SSLMODE=require", "DATABASE_SSLROOTCERT=/ca",
		"DATABASE_SSLCERT=/c", "DATABASE_PASSWORD=canary", "DATABASE_PASSWORD_FILE=/secret", "DATABASE_READINESS=startup", "DATABASE_READINESS_GRACE=1s",
		"DATABASE_PROBE_DEGRADED_LATENCY=2s", "REDIS_CA_FILE=/ca", "REDIS_DB=canary", "REDIS_PASSWORD=canary", "REDIS_READINESS_GRACE=1s",
		"MINIO_CA_FILE=/ca", "MINIO_PROBE_DEGRADED_LATENCY=1m", "OLLAMA_HOST=ftp://user:canary@host", "OLLAMA_READINESS_GRACE=1s",
		"DATABASE_MIGRATION_URL=mysql://canary@db",
	}, "config"))
	var b strings.Builder
	for _, args := range [][]string{
		{"nonsense"},
		{"config", "extra"},
		{"config", "--nonsense"},
		{"config", "--output", "yaml"},
		{"config", "--env-file", "/nowhere/.env"},
		{"wait", "--for", "mongo"},
		{"wait", "--for", ""},
		{"wait", "--timeout", "-1s"},
		{"wait", "--timeout", "soon"},
		{"migrate", "sideways"},
		{"migrate", "down", "--to", "x"},
		{"migrate", "verify", "--output", "table"},
		{"check", "--url", "ftp://x"},
		{"check", "--mode", "x"},
	} {
		b.WriteString(run(t, nil, args...) + "\n")
	}
	compare(t, "errors_usage.txt", b.String())
}

// everythingWrong sets each variable that `config` lists to what it cannot be, and each
// secret together with its file.
func everythingWrong(t *testing.T) []string {
	t.Helper()
	_, text, _ := strings.Cut(run(t, nil, "config", "--output", "json"), "\n")
	var printed struct {
		Settings []struct{ Name, Value string }
	}
	if err := json.Unmarshal([]byte(text), &printed); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, s := range printed.Settings {
		if s.Value == "[empty]" || s.Value == "[set]" {
			env = append(env, s.Name+"=canary", s.Name+"_FILE=/nowhere")
			continue
		}
		env = append(env, s.Name+"=:,wrong\n")
	}
	return env
}

// TestWait holds the lines of `wait`, for each target and each way that it may go.
func TestWait(t *testing.T) {
	t.Parallel()
	there := append(runServers(t), settled...) // with long timeouts, for busy machines
	empty := append(slices.Clone(there), "DATABASE_NAME="+newDatabase(t, "golden_wait"))
	wrong := append(slices.Clone(there), "DATABASE_PASSWORD=canary", "REDIS_PASSWORD=canary", "MINIO_SECRET_KEY=canary-of-minio",
		"MINIO_BUCKETS=golden-absent", "OLLAMA_REQUIRED_MODELS=golden-absent")
	var b strings.Builder
	for _, c := range []struct {
		env     []string
		targets string
		lines   int // that are printed at once, where it waits from then on
	}{
		{there, "database,schema,redis,minio,ollama", 0},
		{empty, "database,schema", 2},
		{nowhere(), "database,schema,redis,minio,ollama", 5},
		{nowhere(), "schema", 1},
		{wrong, "database,schema,redis,minio,ollama", 5},
	} {
		b.WriteString(mask(wait(t, c.env, c.targets, c.lines), inCommands) + "\n")
	}
	b.WriteString(mask(run(t, nowhere(), "wait", "--for", "redis", "--timeout", "5s"), inCommands))
	compare(t, "wait.txt", b.String())
}

// wait runs `wait` and, once it has printed so many lines, interrupts it. The lines are
// sorted: they come as the services answer.
func wait(t *testing.T, env []string, targets string, lines int) string {
	t.Helper()
	args := []string{"wait", "--for", targets}
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Stdout = env, stdout
	p, err := program.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	printed := func() string {
		text, err := os.ReadFile(stdout.Name())
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Sorted(strings.Lines(string(text)))
		return strings.Join(sorted, "")
	}
	if lines > 0 {
		poll.Seen(t, patience, strings.Join(args, " "), func() (string, bool) {
			text := printed()
			return text, strings.Count(text, "\n") >= lines
		})
		p.Signal(syscall.SIGINT)
	}
	code := p.State().ExitCode()
	return told(args, printed(), p.Log(), code)
}
