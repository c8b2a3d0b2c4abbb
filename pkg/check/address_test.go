package check_test

import (
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/check"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"localhost:8008":                "http://localhost:8008",
		"http://localhost:8008/":        "http://localhost:8008",
		"http://localhost:8008/health":  "http://localhost:8008",
		"http://localhost:8008/health/": "http://localhost:8008",
		"localhost:8008/health/ready":   "http://localhost:8008",
		"localhost:8008/health/redis/":  "http://localhost:8008",
		"localhost:9008/metrics":        "http://localhost:9008",
		"host/health/health/ready":      "http://host/health",
		"host/healthy":                  "http://host/healthy",
		"https://reims.example/pod-1":   "https://reims.example/pod-1",
		"[::1]:8008":                    "http://[::1]:8008",
		"ftp://canary:canary@host":      "",
		"http://canary:can%ary@host":    "",
		"http://host?canary":            "",
		"http://":                       "",
		"":                              "",
	} {
		u, err := check.ParseURL(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken as %s", text, u)
		case want == "" && strings.Contains(err.Error(), "canary"):
			t.Errorf("%q: %v", text, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q is %v, %v, want %s", text, u, err, want)
		}
	}
}

func TestLocalURL(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":8008": "http://127.0.0.1:8008", "0.0.0.0:8008": "http://127.0.0.1:8008", "[::]:8008": "http://[::1]:8008",
		"10.0.0.1:8008": "http://10.0.0.1:8008", "localhost:8008": "http://localhost:8008", ":0": "", "8008": "",
	} {
		u, err := check.LocalURL(addr)
		if want == "" != (err != nil) || err == nil && u.String() != want {
			t.Errorf("%q is %v, %v, want %s", addr, u, err, want)
		}
	}
}
