package http

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency"
)

// Whatever a server answers, it is healthy exactly where status and body are the expected
// ones, and neither message nor error has a word of the answer. Every Z becomes a canary.
func FuzzReply(f *testing.F) {
	const canary = "c4n4ry-of-the-server"
	f.Add(200, []byte("ok"), "")
	f.Add(200, []byte("Z"), "")
	f.Add(302, []byte("<html>Z"), "https://Z:Z@h/%zz")
	f.Add(401, []byte(""), "Basic Z")
	f.Add(429, []byte("Z"), "Z")
	f.Add(-1, []byte("\xff\x00"), "")
	c := &Checker{options: Options{Statuses: []Statuses{{200, 299}}, Body: regexp.MustCompile(`(?i)^o+k$`)}}
	f.Fuzz(func(t *testing.T, status int, body []byte, header string) {
		z := func(s string) string { return strings.ReplaceAll(s, "Z", canary) }
		reply := dependency.HTTPReply{
			Status: status, Body: []byte(z(string(body))),
			Header: http.Header{"Location": {z(header)}, "Content-Type": {z(header)}, "Www-Authenticate": {z(header)}},
		}
		fault := c.judge(reply)
		if well := status/100 == 2 && c.options.Body.Match(reply.Body); well != (fault == nil) {
			t.Fatalf("%d %q: %v", status, body, fault)
		}
		if fault != nil && (fault.Reason == "" || strings.Contains(fault.Message+fault.Err.Error(), canary)) {
			t.Errorf("%d %q: %#v", status, body, fault)
		}
	})
}
