package dependency_test

import (
	"testing"

	"github.com/reims/reims-health/pkg/dependency"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dependency.Host{
		"a.example":          {Name: "a.example"},
		"a.example:80":       {Name: "a.example", Port: 80},
		"10.0.0.1:80":        {Name: "10.0.0.1", Port: 80},
		"[::1]":              {Name: "::1"},
		"[::1]:80":           {Name: "::1", Port: 80},
		"[fe80::1%25eth0]:1": {Name: "fe80::1%eth0", Port: 1},
	} {
		if got, err := dependency.ParseHost(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":80", "a:0", "a:65536", "a:b", "::1", "::1:80", "[::1", "[a]:80", "[]", "a b", "a/b"} {
		if got, err := dependency.ParseHost(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
