package rendered

import (
	"net/http"
	"strconv"
)

// Response is ready to be written, any number of times and by several goroutines at once.
// Its header values are shared between responses and must not be changed.
type Response struct {
	code        int
	contentType []string
	length      []string
	body        []byte
}

// New returns a response whose content type is a header's value.
func New(code int, contentType []string, body []byte) *Response {
	return &Response{code, contentType, []string{strconv.Itoa(len(body))}, body}
}

// Write answers r, a GET or a HEAD, without any allocation. Other headers are the caller's.
func (a *Response) Write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Type"] = a.contentType
	header["Content-Length"] = a.length
	w.WriteHeader(a.code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a reader that has gone needs no answer
	}
}
