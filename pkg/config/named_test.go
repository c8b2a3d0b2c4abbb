package config_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func TestNamedServices(t *testing.T) {
	t.Parallel()
	c, warnings := load(t, "HEALTH_SERVICES=orders, database ,Files",
		"ORDERS_CHECK=postgres://app@db-2:6432/orders?sslmode=disable", "ORDERS_PASSWORD=canary-pw", "ORDERS_PROBE_TIMEOUT=3s", "ORDERS_READINESS=strict",
		"FILES_CHECK=s3s://files.example", "FILES_ACCESS_KEY=access", "FILES_SECRET_KEY=canary-key", "FILES_BUCKETS=a-b")
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	var names []string
	for _, s := range c.Enabled() {
		names = append(names, s.Name+" is "+s.Kind)
	}
	if diff := cmp.Diff([]string{"orders is postgres", "database is postgres", "files is s3"}, names); diff != "" {
		t.Error(diff)
	}
	orders, _ := c.Service("orders")
	settings := orders.Settings.(*postgres.Settings)
	if settings.Host != "db-2" || settings.Port != 6432 || settings.Name != "orders" || settings.User != "app" || bool(settings.SchemaCheck) || read(t, settings.Password) != "canary-pw" {
		t.Errorf("orders is %+v", settings)
	}
	if p := orders.Probe; p.Interval.String() != "10s" || p.Timeout.String() != "3s" || p.Readiness != "strict" || p.FailureThreshold != 2 {
		t.Errorf("orders is checked like this: %+v", p)
	}
	database, _ := c.Service("database")
	if one := database.Settings.(*postgres.Settings); one.Host != "localhost" || one == settings {
		t.Error("two services of one kind share their settings")
	}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ORDERS_CHECK=", "ORDERS_USER=app", "# ORDERS_CHECK\n", "ORDERS_PASSWORD=[set]", "FILES_CHECK=s3s://files.example"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("config does not print %s", want)
		}
	}
	for _, not := range []string{"canary", "ORDERS_HOST", "ORDERS_SCHEMA_CHECK", "FILES_SECURE"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("config prints %s", not)
		}
	}
}

func TestProblemsOfNamedServices(t *testing.T) {
	t.Parallel()
	const many = "a1,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"
	var manyChecks strings.Builder
	for name := range strings.SplitSeq(many, ",") {
		manyChecks.WriteString("|" + strings.ToUpper(name) + "_CHECK=postgres://r")
	}
	for _, tt := range []struct {
		environ string // separated by |
		want    string // the problems, separated by |
	}{
		{"HEALTH_SERVICES=kafka", `KAFKA_CHECK: missing, and HEALTH_SERVICES lists "kafka": give a URL such as https://HOST/PATH, with one of the schemes postgres, `},
		{"HEALTH_SERVICES=databse", `HEALTH_SERVICES: there is no service "databse": did you mean database? Another one needs DATABSE_CHECK`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=kafka://k:9092", `KAFKA_CHECK: there is no scheme "kafka": give one of postgres, `},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=k:9092", `KAFKA_CHECK: the value is not a URL`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://k:0", `KAFKA_CHECK: "k:0" is not a host with a port`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://", `KAFKA_CHECK: "" is not a host name`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://u:canary@h/db", `KAFKA_CHECK: the URL has a password, and the URL is shown to readers: leave it out, and put it into a file that KAFKA_PASSWORD_FILE names`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://u:canary/x@h/db", `KAFKA_CHECK: the URL has a password`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://u:canary?x@h/db", `KAFKA_CHECK: the URL has a password`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://h/a/b", `KAFKA_CHECK: the URL has more than the name of a database`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://h?sslmode=on", `KAFKA_CHECK: "on" is none of disable`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://h?password=canary", `KAFKA_CHECK: the URL's query may have sslmode and nothing else`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://h,g", `KAFKA_CHECK: the URL has 2 hosts`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://u@h|KAFKA_USER=u", `KAFKA_USER: the URL in KAFKA_CHECK says it already: leave one of them out`},
		{"HEALTH_SERVICES=kafka|KAFKA_CHECK=postgres://h/a/b|KAFKA_SSLMODE=on|KAFKA_USER=u", `KAFKA_CHECK: the URL has more than|KAFKA_SSLMODE: "on" is none of disable`},
		{"HEALTH_SERVICES=files|FILES_CHECK=s3://f", `FILES_ACCESS_KEY: missing: each request is signed with it|FILES_SECRET_KEY: missing`},
		{"HEALTH_SERVICES=files|FILES_CHECK=s3://f|FILES_ACCESS_KEY=abcd|FILES_SECRET_KEY=bcde|FILES_CA_FILE=/ca", `FILES_CA_FILE: has no effect: the scheme of FILES_CHECK is not s3s`},
		// Everything at once, that of a service of an unknown kind too.
		{"HEALTH_SERVICES=kafka,orders|KAFKA_PROBE_TIMEOUT=1|ORDERS_CHECK=postgres://h|ORDERS_READINESS=no", `KAFKA_CHECK: missing|KAFKA_PROBE_TIMEOUT: "1" is not a duration|ORDERS_READINESS: "no" is none of`},
		{"HEALTH_SERVICES=databse,live", `HEALTH_SERVICES: there is no service "databse"|HEALTH_SERVICES: "live" is taken`},
		// Names.
		{"HEALTH_SERVICES=live", `HEALTH_SERVICES: "live" is taken by something else`},
		{"HEALTH_SERVICES=migrate", `HEALTH_SERVICES: "migrate" is taken`},
		{"HEALTH_SERVICES=a_b", `HEALTH_SERVICES: "a_b" is not the name of a service`},
		{"HEALTH_SERVICES=a-", `HEALTH_SERVICES: "a-" is not the name of a service`},
		{"HEALTH_SERVICES=1a", `HEALTH_SERVICES: "1a" is not the name of a service`},
		{"HEALTH_SERVICES=" + strings.Repeat("a", 33), `HEALTH_SERVICES: "` + strings.Repeat("a", 33) + `" is not the name of a service`},
		{"HEALTH_SERVICES=kafka,kafka|KAFKA_CHECK=postgres://k", `HEALTH_SERVICES: "kafka" is listed twice`},
		{"HEALTH_SERVICES=" + many + manyChecks.String(), `HEALTH_SERVICES: lists more services than 16`},
		{"HEALTH_SERVICES=a-1,a1|A_1_CHECK=postgres://r|A1_CHECK=postgres://r", `HEALTH_SERVICES: "a-1" and "a1" are both A1`},
		{"HEALTH_SERVICES=a,a-app|A_CHECK=postgres://r|A_APP_CHECK=postgres://r|A_APP_CONNECTIONS=off", ``},
	} {
		got := problems(t, strings.Split(tt.environ, "|")...)
		want := strings.FieldsFunc(tt.want, func(r rune) bool { return r == '|' })
		ok := len(got) == len(want)
		for i := range got {
			ok = ok && i < len(want) && strings.HasPrefix(got[i].String(), want[i])
			if strings.Contains(got[i].String(), "canary") {
				t.Errorf("%q: a secret is shown: %s", tt.environ, got[i])
			}
		}
		if !ok {
			t.Errorf("%q\n got %v\nwant %s", tt.environ, got, tt.want)
		}
	}
}

func TestWarningsOfNamedServices(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"ORDERS_CHECK=postgres://h":    "ORDERS_CHECK: has no effect: HEALTH_SERVICES does not list orders",
		"DATABASE_CHECK=postgres://h":  "DATABASE_CHECK: has no effect: database has variables of its own",
		"SPELL_CHECK=on":               "",
		"HEALTHY_CHECK=kafka://k:9092": "",
		"LIVE_CHECK=postgres://h":      "",
	} {
		_, warnings := load(t, environ)
		if len(warnings) == 0 && want == "" || len(warnings) == 1 && warnings[0].String() == want {
			continue
		}
		t.Errorf("%s\n got %v\nwant %s", environ, warnings, want)
	}
}

func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ string // separated by |
		want    string // user:password@host:port/database sslmode
		warned  string
	}{
		"all":            {"DATABASE_URL=postgresql://app:s3cret-pw@db:6432/shop?sslmode=require", "app:s3cret-pw@db:6432/shop require", ""},
		"host":           {"DATABASE_URL=postgres://db", "postgres:@db:5432/reims prefer", ""},
		"address":        {"DATABASE_URL=postgres://app:s3cret-pw@db/shop|DATABASE_HOST=other", "postgres:@other:5432/reims prefer", "DATABASE_URL: ignored, because the address is set"},
		"password":       {"DATABASE_URL=postgres://app:s3cret-pw@db/shop|DATABASE_PASSWORD=mine", "app:mine@db:5432/shop prefer", ""},
		"mode":           {"DATABASE_URL=postgres://app@db/shop?sslmode=disable|DATABASE_SSLMODE=require", "app:@db:5432/shop require", ""},
		"another driver": {"DATABASE_URL=postgresql+asyncpg://app:s3cret-pw@db/shop", "postgres:@localhost:5432/reims prefer", "DATABASE_URL: ignored, because it is not such a URL"},
		"other keys":     {"DATABASE_URL=postgres://app@db/shop?schema=public&connect_timeout=5", "app:@db:5432/shop prefer", "DATABASE_URL: keys of its query"},
	} {
		c, warnings := load(t, strings.Split(test.environ, "|")...)
		s := settings[*postgres.Settings](c, "database")
		got := s.User + ":" + read(t, s.Password) + "@" + config.JoinHostPort(s.Host, strconv.Itoa(s.Port)) + "/" + s.Name + " " + s.EffectiveSSLMode("development")
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if len(warnings) > 1 || (len(warnings) == 1) != (test.warned != "") || test.warned != "" && !strings.HasPrefix(warnings[0].String(), test.warned) {
			t.Errorf("%s: warnings %v, want %s", name, warnings, test.warned)
		}
		if redacted := c.Redactor().Redact("it says s3cret-pw"); strings.Contains(test.environ, "s3cret") && strings.Contains(redacted, "s3cret") {
			t.Errorf("%s: the password is not kept out of the log", name)
		}
	}
	// What applications have for other clients never ends the sidecar.
	for environ, want := range map[string]string{
		"DATABASE_URL=postgres://a:canary@/db?host=/run/postgresql":  "(the URL has no host",
		"DATABASE_URL=postgres://a:canary@h/db?host=/run/postgresql": "(its query says where the server is",
		"DATABASE_URL=postgres://a:canary@h:1,g:2/db":                "(the URL has not one host",
		"DATABASE_URL=postgres://a:canary@h:0":                       "(the URL has not one host",
		"DATABASE_URL=postgres://a:%zzcanary@h":                      "(the value is not a URL",
		"DATABASE_URL=postgres://a:canary@h/db?sslmode=no-verify":    `("no-verify" is none of disable`,
		"DATABASE_URL=jdbc:postgresql://h/db?password=canary":        "(the value does not begin with postgres://",
		"DATABASE_URL=file:./dev.db":                                 "(the value does not begin with postgres://",
		"DATABASE_URL=postgis://a:canary@h/db":                       "(the value does not begin with postgres://",
		"REDIS_URL=redis:6379":                                       "(the value does not begin with redis://",
		"REDIS_URL=redis://:canary@h1:26379,h2:26379/mymaster":       "(the URL has not one host",
		"REDIS_URL=redis://:canary@h/cache":                          "(the URL's path is not the number",
	} {
		_, warnings := load(t, environ)
		variable, _, _ := strings.Cut(environ, "=")
		if len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), variable+": ignored, because it is not such a URL as the sidecar takes "+want) || strings.Contains(warnings[0].String(), "canary") {
			t.Errorf("%s: %v, want %s", environ, warnings, want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"postgres://u@h:1/db?a=b", "redis+sentinel://a:1,b,[::1]:2/m", "http://[::1]/x%20y", "tcp://h:1", "a://b:c@d", "x://[]:1", "x://[a]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := dependency.ParseURL(text, "PASSWORD")
		if err != nil {
			return
		}
		if len(u.Hosts) == 0 {
			t.Errorf("%q has no host", text)
		}
		for _, h := range u.Hosts {
			if !config.IsHost(h.Name) || h.Port < 0 || h.Port > 65535 {
				t.Errorf("%q has the host %+v", text, h)
			}
		}
		if u.Path != "" && u.Path[0] != '/' {
			t.Errorf("%q has the path %q", text, u.Path)
		}
		for _, k := range registry.Kinds() {
			for _, s := range k.Schemes {
				u.Scheme = s.Name
				if settings, _, err := s.Settings(u); err == nil && settings == nil {
					t.Errorf("%q as %s has no settings", text, s.Name)
				} else if err != nil && errors.Unwrap(err) != nil {
					t.Errorf("%q as %s: %v is no error of a value", text, s.Name, err)
				}
			}
		}
	})
}

// What readers are shown of NAME_CHECK has no login and no query.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	for check, want := range map[string]string{
		"": "", "https://billing.example": "https://billing.example", "https://billing.example/health/?token=canary": "https://billing.example/health/",
		"postgres://app@orders:5432/orders?sslmode=require": "postgres://orders:5432/orders", "http://canary@a.example/b@c": "http://a.example/b@c",
		"redis+sentinel://canary@a,b,c/mymaster": "redis+sentinel://a,b,c/mymaster", "http://a?b=c/d@e": "http://a",
	} {
		if got := (config.Origin{Check: check}).Endpoint(); got != want {
			t.Errorf("%q is shown as %q, want %q", check, got, want)
		}
	}
}
