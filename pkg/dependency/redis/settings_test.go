package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

// named returns the service that CACHE_CHECK describes, and what is wrong with it.
func named(check string) (*config.Service, error) {
	return dependency.Kinds{redis.Kind()}.Named("cache", check)
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	type settings struct {
		Host, User string
		Port, DB   int
		TLS        bool
		Given      string
		Sentinels  string // and the master's name
	}
	for check, want := range map[string]settings{
		"redis://r":                    {Host: "r", Port: 6379, Given: "TLS"},
		"redis://r/":                   {Host: "r", Port: 6379, Given: "TLS"},
		"rediss://[::1]:6380":          {Host: "::1", Port: 6380, TLS: true, Given: "TLS"},
		"REDISS://us%40er@r.example/3": {Host: "r.example", Port: 6379, TLS: true, User: "us@er", DB: 3, Given: "TLS USERNAME DB"},
		"redis://r:1/0":                {Host: "r", Port: 1, Given: "TLS DB"},
		"redis+sentinel://u@a,b:1,[::1]:2/my%20master": {User: "u", Given: "USERNAME", Sentinels: "a b:1 [::1]:2 my master"},
	} {
		service, err := named(check)
		if err != nil {
			t.Errorf("%s: %v", check, err)
			continue
		}
		s, ok := service.Settings.(*redis.Settings)
		if !ok {
			t.Fatalf("%T", service.Settings)
		}
		got := settings{s.Host, s.Username, s.Port, s.DB, bool(s.TLS), strings.Join(service.Given, " "), strings.TrimSpace(strings.Join(append(s.Sentinels, s.SentinelMaster), " "))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", check, diff)
		}
	}
	for check, want := range map[string]string{
		"redis://r,s":                "2 hosts",
		"redis://r/x":                "redis://HOST:PORT/0",
		"redis://r/-1":               "redis://HOST:PORT/0",
		"redis://r/0/1":              "redis://HOST:PORT/0",
		"rediss://r/99999999999":     "rediss://HOST:PORT/0",
		"redis://r?db=1":             "query",
		"redis://u:canary@r":         "CACHE_PASSWORD_FILE",
		"redis://:canary@r":          "CACHE_PASSWORD_FILE",
		"redis+socket:///run/r.sock": "",
		"redis+sentinel://a,b":       "redis+sentinel://HOST,HOST/NAME",
		"redis+sentinel://a,b/":      "redis+sentinel://HOST,HOST/NAME",
		"redis+sentinel://a/m/0":     "redis+sentinel://HOST,HOST/NAME",
		"redis+sentinel://a,/m":      "host name",
		"redis+sentinel://a/m?x=1":   "query",
	} {
		if _, err := named(check); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %s", check, err, want)
		}
	}
}

// load returns a service with the variables that the environment holds, the warnings and
// the problems.
func load(service *config.Service, environ ...string) ([]config.Problem, error) {
	_, warnings, err := config.Load(config.Options{Services: []*config.Service{service}, Environ: environ})
	return warnings, err
}

// open returns the checker of the service that CACHE_CHECK describes.
func open(t *testing.T, check string, environ ...string) dependency.Checker {
	t.Helper()
	service, err := named(check)
	if err != nil {
		t.Fatal(err)
	}
	return checking.Open(t, service, environ...)
}

// A named service is checked as the service redis is, and its messages say where to look.
func TestNamedService(t *testing.T) {
	t.Parallel()
	plain, secured := servers.RunRedis(t, servers.RedisOptions{}), servers.RunRedis(t, servers.RedisOptions{TLS: true})
	redisDo(t, plain, "ACL", "SETUSER", "probe", "on", ">canary", "+ping", "+info", "+select")
	login, secretly := "CACHE_PASSWORD="+plain.Password, "CACHE_PASSWORD="+secured.Password
	const wrong = "CACHE_PASSWORD=wrong-one"

	checking.Declared(t, redis.Kind(), checking.Healthy(t, open(t, "redis://"+plain.Addr()+"/2", login)))
	checking.Healthy(t, open(t, "redis://probe@"+plain.Addr(), "CACHE_PASSWORD=canary"))
	checking.Healthy(t, open(t, "rediss://"+secured.Addr(), secretly, "CACHE_CA_FILE="+secured.CAFile()))
	for name, test := range map[string]struct {
		check   string
		environ []string
		reason  health.Reason
		words   string
	}{
		"TLS is missing":     {"redis://" + secured.Addr(), nil, health.ReasonTLS, "CACHE_CHECK begins with redis, not with rediss"},
		"TLS is not offered": {"rediss://" + plain.Addr(), nil, health.ReasonTLS, "CACHE_CHECK begins with rediss"},
		"unknown authority":  {"rediss://" + secured.Addr(), []string{secretly}, health.ReasonTLS, ""},
		"wrong server":       {"redis://" + checking.Answering(t, replying("HTTP/1.1 400 Bad Request\r\n\r\n")), nil, health.ReasonProtocol, "at CACHE_CHECK is"},
		"no password":        {"redis://" + plain.Addr(), nil, health.ReasonAuth, "CACHE_PASSWORD"},
		"wrong login":        {"redis://other@" + plain.Addr(), []string{wrong}, health.ReasonAuth, "CACHE_CHECK and CACHE_PASSWORD"},
		"its own user":       {"redis://" + plain.Addr(), []string{wrong, "CACHE_USERNAME=other"}, health.ReasonAuth, "CACHE_USERNAME and CACHE_PASSWORD"},
		"no such database":   {"redis://" + plain.Addr() + "/99", []string{login}, health.ReasonDatabaseMissing, "number in CACHE_CHECK"},
		"its own number":     {"redis://" + plain.Addr(), []string{login, "CACHE_DB=99"}, health.ReasonDatabaseMissing, "number in CACHE_DB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checking.Says(t, checking.Fault(t, open(t, test.check, test.environ...), test.reason), test.words)
		})
	}
}

func TestNamedServiceRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ check, variable, problem, warning string }{
		"CA without TLS": {"redis://r", "CACHE_CA_FILE=/ca.crt", "CACHE_CA_FILE: needs a CACHE_CHECK that begins with rediss", ""},
		"CA with TLS":    {"rediss://r", "CACHE_CA_FILE=/ca.crt", "", ""},
		"lonely user":    {"redis://u@r", "", "", "CACHE_CHECK: has a user, who has no effect without CACHE_PASSWORD"},
		"its own user":   {"redis://r", "CACHE_USERNAME=u", "", "CACHE_USERNAME: has no effect without CACHE_PASSWORD"},
		"CA, Sentinels":  {"redis+sentinel://a/m", "CACHE_CA_FILE=/ca.crt", "CACHE_CA_FILE: needs CACHE_TLS=on", ""},
		"no Sentinels": {
			"redis://r", "CACHE_SENTINEL_PASSWORD=secret-one", "",
			"CACHE_SENTINEL_PASSWORD: has no effect without a CACHE_CHECK that begins with redis+sentinel",
		},
		"Sentinels": {"redis+sentinel://a/m", "CACHE_SENTINEL_PASSWORD=secret-one", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			service, err := named(test.check)
			if err != nil {
				t.Fatal(err)
			}
			says(t, service, test.problem, test.warning, test.variable)
		})
	}
}

// says loads a service and compares what is wrong and what is warned of.
func says(t *testing.T, service *config.Service, problem, warning string, environ ...string) {
	t.Helper()
	warnings, err := load(service, environ...)
	var problems, warned []string
	if wrong, ok := errors.AsType[*config.Error](err); ok {
		for _, p := range wrong.Problems {
			problems = append(problems, p.String())
		}
	}
	for _, w := range warnings {
		warned = append(warned, w.String())
	}
	if got := strings.Join(problems, "; "); got != problem {
		t.Errorf("problems %q, want %q", got, problem)
	}
	if got := strings.Join(warned, "; "); got != warning {
		t.Errorf("warnings %q, want %q", got, warning)
	}
}

// service returns the service redis.
func service() *config.Service { return dependency.Kinds{redis.Kind()}.Services()[0] }

func TestSentinelSettings(t *testing.T) {
	t.Parallel()
	const (
		master = "REDIS_SENTINEL_MASTER=mymaster"
		alone  = "REDIS_SENTINEL_MASTER: has no effect without REDIS_SENTINELS, the Sentinels that know the master by that name"
	)
	ignored := func(by string) string {
		return "REDIS_SENTINELS: ignored, because " + by + " is set: leave that out to use it"
	}
	for _, test := range []struct{ environ, problem, warning string }{
		{"REDIS_SENTINELS=a,b:1,[::1] " + master, "", ""},
		{"REDIS_SENTINELS=a", "REDIS_SENTINELS: needs REDIS_SENTINEL_MASTER, the name by which the Sentinels know the master", ""},
		{master, "", alone},
		{"REDIS_HOST=b " + master, "", alone},
		{"REDIS_SENTINEL_PASSWORD=secret-one", "", "REDIS_SENTINEL_PASSWORD: has no effect without REDIS_SENTINELS"},
		{"REDIS_SENTINELS=a REDIS_HOST=b REDIS_PORT=1 " + master, "", ignored("REDIS_HOST") + "; " + alone},
		{"REDIS_SENTINELS=a REDIS_PORT=1 " + master, "", ignored("REDIS_PORT") + "; " + alone},
		{"REDIS_SENTINELS=a REDIS_HOST=b", "", ignored("REDIS_HOST")},
		{`REDIS_SENTINELS=[["a",26379],["a",26379]] REDIS_HOST=b`, "", ignored("REDIS_HOST")},
		{"REDIS_SENTINELS=redis://a;redis://a, REDIS_HOST=b", "", ignored("REDIS_HOST")},
		{"REDIS_SENTINELS=[fe80::1%eth0]:26379,[fe80::1%25eth0],[fe80::2%2] " + master, "", ""},
		{
			"REDIS_SENTINELS=a REDIS_PORT=tcp://10.0.0.1:6379 " + master, "",
			"REDIS_PORT: ignored, because a service link of Kubernetes set it (tcp://…): set enableServiceLinks: false in the Pod, or the variable itself",
		},
		{"REDIS_SENTINELS=redis://a " + master, "REDIS_SENTINELS: \"redis://a\" is not host[:port] of a Sentinel: leave out scheme and path, and put an IPv6 address in brackets", ""},
		{"REDIS_SENTINELS=::1 " + master, "REDIS_SENTINELS: \"::1\" is not host[:port] of a Sentinel: leave out scheme and path, and put an IPv6 address in brackets", ""},
		{"REDIS_SENTINELS=a,a " + master, "REDIS_SENTINELS: \"a\" is listed twice", ""},
	} {
		t.Run(test.environ, func(t *testing.T) {
			says(t, service(), test.problem, test.warning, strings.Fields(test.environ)...)
		})
	}
}

func TestSentinelsByVariables(t *testing.T) {
	t.Parallel()
	const secret = "canary-sentinel"
	master, _, sentinels := servers.RunSentinels(t, 2, servers.SentinelOptions{Password: secret})
	at := sentinels[0].Addr() + "," + sentinels[1].Addr()
	check := "redis+sentinel://" + at + "/" + servers.SentinelName
	checking.Healthy(t, open(t, check, "CACHE_PASSWORD="+master.Password, "CACHE_SENTINEL_PASSWORD="+secret))
	checking.Says(t, checking.Fault(t, open(t, check), health.ReasonAuth), "set CACHE_SENTINEL_PASSWORD")
	checking.Says(t, checking.Fault(t, open(t, check+"s", "CACHE_SENTINEL_PASSWORD="+secret), health.ReasonDatabaseMissing), "the name in CACHE_CHECK")
	checking.Says(t, checking.Fault(t, open(t, "redis+sentinel://"+closed(t)+"/m"), health.ReasonRefused), "no Sentinel of CACHE_CHECK")

	environ := []string{"REDIS_SENTINELS=" + at, "REDIS_SENTINEL_MASTER=" + servers.SentinelName, "REDIS_SENTINEL_PASSWORD=" + secret}
	checking.Healthy(t, checking.Open(t, service(), append(environ, "REDIS_PASSWORD="+master.Password)...))
	checking.Says(t, checking.Fault(t, checking.Open(t, service(), environ...), health.ReasonAuth), "set REDIS_PASSWORD")
}
