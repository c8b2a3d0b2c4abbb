package check_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reims/reims-health/test/servers"
)

// TestScripts runs the cases in testdata. Beside testscript's own commands they have:
//
//	sidecar [NAME=VALUE...]  start one on the shared servers; its address is in HEALTH_ADDR and URL
//	postgres start|stop      a PostgreSQL of the script's own, for the sidecar started next
//	await SERVICE STATUS [REASON]  until the sidecar says so
//	run CODE ARGS...         reims-health check ARGS, which must exit with this code
//	json FIELD VALUE         holds what was just printed, as JSON, to a field
//	fake KIND                something else to ask, see fakes; its address is in FAKE
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+":"+env.Getenv("PATH"))
			env.Values[stageKey{}] = &stage{env: env}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sidecar":  onStage((*stage).sidecarCmd),
			"postgres": onStage((*stage).postgresCmd),
			"await":    onStage((*stage).awaitCmd),
			"run":      onStage((*stage).runCmd),
			"json":     onStage((*stage).jsonCmd),
			"fake":     onStage((*stage).fakeCmd),
		},
	})
}

// stage is what one script has set up.
type stage struct {
	env      *testscript.Env
	sidecar  *sidecar
	postgres *servers.Postgres
	secrets  []string
}

type stageKey struct{}

func onStage(cmd func(*stage, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("! does not go with this command")
		}
		ts.Check(cmd(ts.Value(stageKey{}).(*stage), ts, args))
	}
}

func (s *stage) sidecarCmd(ts *testscript.TestScript, args []string) error {
	env, err := shared.env(context.Background())
	if err != nil {
		return err
	}
	if s.postgres != nil {
		env = append(env, assignments(s.postgres.Env())...)
	}
	env = append(env, args...)
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if strings.Contains(name, "PASSWORD") || strings.Contains(name, "SECRET_KEY") || name == "HEALTH_TOKEN" {
			s.secrets = append(s.secrets, value)
		}
		ts.Setenv(name, value)
	}
	if s.sidecar, err = startSidecar(context.Background(), env); err != nil {
		return err
	}
	ts.Defer(func() { _ = s.sidecar.Stop() })
	ts.Setenv("HEALTH_ADDR", s.sidecar.addr)
	ts.Setenv("METRICS_ADDR", s.sidecar.metrics)
	ts.Setenv("URL", "http://"+s.sidecar.addr)
	return nil
}

func (s *stage) postgresCmd(_ *testscript.TestScript, args []string) error {
	switch {
	case len(args) != 1:
		return errors.New("usage: postgres start|stop")
	case args[0] == "stop":
		return s.postgres.Stop()
	case s.postgres != nil:
		return s.postgres.Start(context.Background())
	}
	t := s.env.T().(testing.TB) //nolint:forcetypeassert // testscript.Run's is one
	s.postgres = servers.RunPostgres(t, servers.PostgresOptions{})
	return nil
}

func (s *stage) awaitCmd(_ *testscript.TestScript, args []string) error {
	if len(args) != 2 && len(args) != 3 {
		return errors.New("usage: await SERVICE STATUS [REASON]")
	}
	return s.sidecar.await(context.Background(), func(h health) bool {
		return h.Services[args[0]] == args[1] && (len(args) == 2 || h.reason(args[0]) == args[2])
	})
}

// runCmd leaves what was printed in stdout and stderr, with what is another at each run
// in capitals. No secret may be in it.
func (s *stage) runCmd(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec("reims-health", append([]string{"check"}, args[1:]...)...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return err
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	for _, secret := range s.secrets {
		if secret != "" && strings.Contains(stdout+stderr, secret) {
			return errors.New("the output shows a secret")
		}
	}
	if code != want {
		return fmt.Errorf("exit code %d, want %d", code, want)
	}
	fmt.Fprint(ts.Stdout(), steady(stdout))
	fmt.Fprint(ts.Stderr(), steady(stderr))
	return nil
}

// steady puts words in the place of what is another at each run.
func steady(text string) string {
	for _, r := range []struct{ pattern, word string }{
		{`\d{4}-\d\d-\d\dT[0-9:.]+Z`, "WHEN"},
		{` *\b\d+\.\d+ m?s\b`, " TIME"},
		{`127\.0\.0\.1:\d{4,}`, "HOST"},
		{` in \d+s`, " in TIME"},
		{`\b(\d+[dhm])*\d+[hms] ago *`, "AGO "},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.word)
	}
	return text
}

// jsonCmd leads to a field with dots: json checks.0.verdict pass.
func (s *stage) jsonCmd(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: json FIELD VALUE")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	for key := range strings.SplitSeq(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return fmt.Errorf("there is no %s", args[0])
			}
			v = at[i]
		default:
			return fmt.Errorf("there is no %s", args[0])
		}
	}
	if fmt.Sprint(v) != args[1] {
		return fmt.Errorf("%s is %v, want %s", args[0], v, args[1])
	}
	return nil
}
