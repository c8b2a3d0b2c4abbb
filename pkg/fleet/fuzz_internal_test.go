package fleet

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Whatever a Pod answers, the page shows no more facts than there is room for, each short and
// printable, and none under the name of something else.
func FuzzFacts(f *testing.F) {
	f.Add([]byte(`{"details":{"db":{"latency_ms":1.5,"version":"PostgreSQL 15.2","ok":true,"buckets":["a"],"reason":"refused"}}}`))
	f.Add([]byte(`{"details":{"db":{"a":"\u001b[2J","b":"\u202e","c":"<script>","d":1e999999,"a":null}}}`))
	f.Add([]byte(`{"details":{"DB":{"a":1},"":{"a":1},"x":[1],"y":null}}`))
	f.Add([]byte(`{"details":{"db":{"a":1,`))
	f.Fuzz(func(t *testing.T, body []byte) {
		services := parseFacts(body)
		if len(services) > maxServices {
			t.Errorf("%d services", len(services))
		}
		for service, facts := range services {
			if !isServiceName(service) || len(facts) > maxFacts {
				t.Errorf("%q has %d facts", service, len(facts))
			}
			for _, fact := range facts {
				bad := func(r rune) bool { return !unicode.IsPrint(r) }
				if !isFactName(fact.Name) || fact.Value == "" || len(fact.Value) > maxFactText || !utf8.ValidString(fact.Value) || bytes.ContainsFunc([]byte(fact.Value), bad) {
					t.Errorf("%s: %+v", service, fact)
				}
			}
		}
	})
}

// Whatever comes from an address, what is read of a body is bounded, and a failure is one of a
// closed set.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 503 x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: -1\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}"))
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(sent)), &http.Request{Method: http.MethodGet})
		if err != nil {
			return
		}
		defer response.Body.Close()
		if err := checkHeader(response); err != nil {
			if failureOf(err) == "" {
				t.Errorf("%v is no failure", err)
			}
			return
		}
		if body, err := readBody(response); err == nil && len(body) > maxAnswer+1 {
			t.Errorf("%d bytes", len(body))
		}
	})
}
