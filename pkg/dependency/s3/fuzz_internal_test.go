package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency"
)

const canary = "c4n4ry of the server"

// Whatever an S3 server, or a proxy before it, answers, the message of the fault has no word
// of the answer but a region, which has a syntax. Every Z becomes a canary.
func FuzzReply(f *testing.F) {
	f.Add(403, []byte(`<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>Z</Message></Error>`), "", "")
	f.Add(400, []byte(`<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-west-1'</Message></Error>`), "", "")
	f.Add(400, []byte(`<Error><Code>AuthorizationHeaderMalformed</Code><Region>Z</Region></Error>`), "", "")
	f.Add(503, []byte(`<Error><Code>SlowDownWrite</Code></Error>`), "", "")
	f.Add(301, []byte(``), "Z", "Z")
	f.Add(503, []byte(`<html>Z`), "", "Z")
	f.Add(200, []byte(`<!DOCTYPE x [<!ENTITY a "Z">]><ListAllMyBucketsResult>&a;`), "", "")
	f.Fuzz(func(t *testing.T, status int, body []byte, region, code string) {
		z := func(s string) string { return strings.ReplaceAll(s, "Z", canary) }
		reply := dependency.HTTPReply{
			Status: status, Body: []byte(z(string(body))),
			Header: http.Header{"X-Amz-Bucket-Region": {z(region)}, "X-Minio-Error-Code": {z(code)}, "X-Amz-Request-Id": {z(code)}},
		}
		_, _ = isBucketList(reply.Body), wantsRegion(reply)
		fault := faultOf(reply)
		if fault.Reason == "" || strings.Contains(fault.Message, canary) || len(fault.Message) > 500 {
			t.Errorf("%d %q: %s %q", status, body, fault.Reason, fault.Message)
		}
	})
}
