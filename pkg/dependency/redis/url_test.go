package redis_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

func TestURL(t *testing.T) {
	t.Parallel()
	const set = "REDIS_URL: ignored, because the address is set by REDIS_HOST, _PORT, _USERNAME, _DB or _SENTINELS: leave these out to use it"
	const driver = "REDIS_URL: ignored, because it is not such a URL as the sidecar takes (the value does not begin with redis:// or rediss://): set REDIS_HOST and the others"
	for environ, test := range map[string]struct{ want, warned string }{
		"REDIS_URL=rediss://app:s3cret-pw@r:6380/2":                     {"app:s3cret-pw@r:6380/2 on", ""},
		"REDIS_URL=Redis://:s3cret%40pw@[::1]/":                         {":s3cret@pw@[::1]:6379/0 off", ""},
		"REDIS_URL=redis://r":                                           {":@r:6379/0 off", ""},
		"REDIS_URL=redis://app:s3cret-pw@r|REDIS_PASSWORD=mine":         {"app:mine@r:6379/0 off", ""},
		"REDIS_URL=redis://r|REDIS_PASSWORD=mine":                       {":mine@r:6379/0 off", ""},
		"REDIS_URL=rediss://r|REDIS_TLS=off":                            {":@r:6379/0 off", ""},
		"REDIS_URL=rediss://r|REDIS_CA_FILE=/ca.crt":                    {":@r:6379/0 on", ""},
		"REDIS_URL=redis://r|REDIS_PORT=tcp://10.0.0.1:6379":            {":@r:6379/0 off", "REDIS_PORT: ignored, because a service link of Kubernetes set it (tcp://…): set enableServiceLinks: false in the Pod, or the variable itself"},
		"REDIS_URL=redis://app:s3cret-pw@r/1|REDIS_HOST=other":          {":@other:6379/0 off", set},
		"REDIS_URL=redis://app:s3cret-pw@r|REDIS_DB=3":                  {":@localhost:6379/3 off", set},
		"REDIS_URL=redis://r|REDIS_USERNAME=u|REDIS_PASSWORD=mine":      {"u:mine@localhost:6379/0 off", set},
		"REDIS_URL=redis://r|REDIS_SENTINELS=a|REDIS_SENTINEL_MASTER=m": {":@localhost:6379/0 off", set},
		"REDIS_URL=redis+socket://u:s3cret-pw@/run/r.sock":              {":@localhost:6379/0 off", driver},
		"REDIS_URL=unix:///run/redis.sock":                              {":@localhost:6379/0 off", driver},
		"REDIS_URL=redissentinel://u:s3cret-pw@r":                       {":@localhost:6379/0 off", driver},
		"REDIS_URL=rediss://r?ssl_cert_reqs=none":                       {":@r:6379/0 on", "REDIS_URL: its query is for other clients and has no effect"},
		"REDIS_URL=redis://app@r":                                       {"app:@r:6379/0 off", "REDIS_URL: has a user and no password, so it has no effect"},
	} {
		t.Run(environ, func(t *testing.T) {
			t.Parallel()
			service := service()
			c, warnings, err := config.Load(config.Options{Services: []*config.Service{service}, Environ: strings.Split(environ, "|")})
			if err != nil {
				t.Fatal(err)
			}
			s, ok := service.Settings.(*redis.Settings)
			if !ok {
				t.Fatalf("%T", service.Settings)
			}
			password, err := s.Password.Read()
			if err != nil {
				t.Fatal(err)
			}
			got := s.Username + ":" + password + "@" + config.JoinHostPort(s.Host, strconv.Itoa(s.Port)) + "/" + strconv.Itoa(s.DB) + " " + s.TLS.String()
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			var warned []string
			for _, w := range warnings {
				warned = append(warned, w.String())
			}
			if got := strings.Join(warned, "; "); got != test.warned {
				t.Errorf("warnings %q, want %q", got, test.warned)
			}
			if redacted := c.Redactor().Redact("it says s3cret-pw"); strings.Contains(environ, "s3cret-pw") && strings.Contains(redacted, "s3cret") {
				t.Error("the password is not kept out of the log")
			}
		})
	}
	for url, want := range map[string]string{
		"redis://u:canary@":         "the URL has no host",
		"redis://u:canary@h:0":      "the URL has not one host",
		"redis://u:canary@a,b":      "the URL has not one host",
		"redis://u:can%zzary@h":     "the value is not a URL",
		"redis://u:canary@h/x":      "the URL's path is not the number of a database",
		"redis://u:canary@h/0/1":    "the URL's path is not the number of a database",
		"redis://u:canary@h/1#x":    "the URL has a fragment",
		"redis:canary":              "the value does not begin with redis://",
		"r.example:6379":            "the value does not begin with redis://",
		"redis://h/9999999999":      "the URL's path is not the number of a database",
		"REDIS://u:canary@h/-1?x=1": "the URL's path is not the number of a database",
	} {
		_, warnings, err := config.Load(config.Options{Services: []*config.Service{service()}, Environ: []string{"REDIS_URL=" + url}})
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), "REDIS_URL: ignored, because it is not such a URL as the sidecar takes ("+want) || strings.Contains(warnings[0].String(), "canary") {
			t.Errorf("%s: %v %v, want %s", url, warnings, err, want)
		}
	}
}

// The address and the login are in REDIS_URL, and messages say so.
func TestURLChecked(t *testing.T) {
	t.Parallel()
	plain, secured := servers.RunRedis(t, servers.RedisOptions{}), servers.RunRedis(t, servers.RedisOptions{TLS: true})
	checking.Healthy(t, checking.Open(t, service(), "REDIS_URL=redis://:"+plain.Password+"@"+plain.Addr()+"/1"))
	checking.Healthy(t, checking.Open(t, service(), "REDIS_URL=rediss://default:"+secured.Password+"@"+secured.Addr(), "REDIS_CA_FILE="+secured.CAFile()))
	for environ, test := range map[string]struct {
		reason health.Reason
		words  string
	}{
		"REDIS_URL=redis://:canary@" + plain.Addr():                                {health.ReasonAuth, "refused the login: see REDIS_URL"},
		"REDIS_URL=redis://:" + plain.Password + "@" + plain.Addr() + "/99":        {health.ReasonDatabaseMissing, "number in REDIS_URL"},
		"REDIS_URL=redis://" + plain.Addr():                                        {health.ReasonAuth, "set REDIS_PASSWORD"},
		"REDIS_URL=redis://" + secured.Addr():                                      {health.ReasonTLS, "REDIS_URL begins with redis, not with rediss"},
		"REDIS_URL=rediss://" + plain.Addr():                                       {health.ReasonTLS, "REDIS_URL begins with rediss"},
		"REDIS_URL=redis://" + checking.Answering(t, replying("HTTP/1.1 400\r\n")): {health.ReasonProtocol, "what listens at REDIS_URL"},
	} {
		f := checking.Fault(t, checking.Open(t, service(), environ), test.reason)
		checking.Says(t, f, test.words)
		if strings.Contains(f.Message, "canary") {
			t.Errorf("message %q carries the password", f.Message)
		}
	}
}

// The file is read again, so that another server or login in it needs no restart.
func TestURLRotated(t *testing.T) {
	t.Parallel()
	first, second := servers.RunRedis(t, servers.RedisOptions{}), servers.RunRedis(t, servers.RedisOptions{TLS: true})
	file := filepath.Join(t.TempDir(), "url")
	p := checking.Open(t, service(), "REDIS_URL_FILE="+file, "REDIS_CA_FILE="+second.CAFile())
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checking.Says(t, checking.Fault(t, p, health.ReasonAuth), "REDIS_URL_FILE")
	write("redis://:" + first.Password + "@" + first.Addr() + "\n")
	checking.Healthy(t, p)
	write("rediss://:" + second.Password + "@" + second.Addr() + "/1")
	checking.Healthy(t, p)
	if redialer, ok := p.(health.Redialer); ok {
		redialer.Redial()
	} else {
		t.Error("it cannot be told to dial")
	}
	for _, text := range []string{"redis://u:canary@a,b", "unix:///run/canary.sock", "canary", ""} {
		write(text)
		f := checking.Fault(t, p, health.ReasonAuth)
		checking.Says(t, f, "REDIS_URL_FILE")
		if strings.Contains(f.Error(), "canary") {
			t.Errorf("%q is shown in %v", text, f)
		}
	}
	write("redis://:" + first.Password + "@" + first.Addr())
	checking.Healthy(t, p)
}

// What was seen of one server's certificate does not count for the next one in the file.
func TestURLRotatedToAnotherCertificate(t *testing.T) {
	t.Parallel()
	secured, plain := servers.RunRedis(t, servers.RedisOptions{TLS: true}), servers.RunRedis(t, servers.RedisOptions{})
	file := filepath.Join(t.TempDir(), "url")
	redisService := service()
	if _, err := load(redisService, "REDIS_URL_FILE="+file, "REDIS_CA_FILE="+secured.CAFile()); err != nil {
		t.Fatal(err)
	}
	settings, ok := redisService.Settings.(dependency.Settings)
	if !ok {
		t.Fatalf("%T", redisService.Settings)
	}
	c, err := dependency.Open(settings, dependency.Instance{Prefix: redisService.Prefix(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, step := range []struct {
		url  string
		seen bool
	}{
		{"rediss://:" + secured.Password + "@" + secured.Addr(), true},
		{"redis://:" + plain.Password + "@" + plain.Addr(), false},
	} {
		if err := os.WriteFile(file, []byte(step.url), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, seen := checking.Healthy(t, c).Find("certificate_not_after"); seen != step.seen {
			t.Errorf("certificate_not_after reported: %t, want %t", seen, step.seen)
		}
	}
}
