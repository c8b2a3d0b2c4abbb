package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// maxAnswer is the largest body of a peer's answer, in bytes. 16 services with the longest
// names take less than 3 KiB.
const maxAnswer = 16 << 10

// maxInstance is the longest instance name of a peer, in bytes.
const maxInstance = 64

// Handler serves GET /health/peer, which other sidecars request. Its answer has only states and
// ages, so it needs no token. It is rendered for each request, since an age is valid only
// at that moment, and needs no allocation.
type Handler struct {
	view     func() *health.View
	instance string
	buffers  sync.Pool // of *[]byte
}

// NewHandler returns a handler that responds from the current view. instance identifies
// this process among its peers: see [NewInstance].
func NewHandler(view func() *health.View, instance string) *Handler {
	return &Handler{
		view: view, instance: instance,
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// ServeHTTP responds to a GET or a HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Content-Type"] = contentType
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	buffer, _ := h.buffers.Get().(*[]byte)
	*buffer = appendAnswer((*buffer)[:0], h.instance, h.view(), time.Now())
	_, _ = w.Write(*buffer) // an error means that the peer has gone
	h.buffers.Put(buffer)
}

var contentType = []string{"application/json"}

// appendAnswer appends the JSON that [decode] reads. No name or word in it needs escaping.
func appendAnswer(b []byte, instance string, v *health.View, now time.Time) []byte {
	b = append(b, `{"instance":"`...)
	b = append(b, instance...)
	b = append(b, `","services":{`...)
	for i, r := range v.Results() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, r.Service.Name...)
		b = append(b, `":{"status":"`...)
		b = append(b, r.Status.String()...)
		b = append(b, `","proven":`...)
		b = strconv.AppendBool(b, r.Proven)
		b = append(b, `,"failing":`...)
		b = strconv.AppendBool(b, r.Failing())
		b = append(b, `,"ok_age_ms":`...)
		if r.LastUsable.IsZero() || r.Reason() == health.ReasonStale { // a stale result is no evidence
			b = append(b, `null}`...)
			continue
		}
		age := max(0, now.Sub(r.LastUsable))
		b = strconv.AppendInt(b, int64((age+time.Millisecond-1)/time.Millisecond), 10) // rounded up
		b = append(b, '}')
	}
	return append(b, "}}\n"...)
}

// answer is the answer of one peer.
type answer struct {
	instance string
	services map[string]serviceState
}

// serviceState is the state of one service in a peer's answer. The zero value means that the peer does not have it.
type serviceState struct {
	known           bool
	proven, failing bool
	okAge           time.Duration // since the start of the latest check that found it usable
	ok              bool          // there was such a check
}

var errAnswer = errors.New("not the answer of a sidecar")

// decode reads an answer. It accepts only values of the closed sets, and
// ignores fields that a newer sidecar adds.
func decode(body []byte) (answer, error) {
	var raw struct {
		Instance string `json:"instance"`
		Services map[string]struct {
			Status  string `json:"status"`
			Proven  bool   `json:"proven"`
			Failing bool   `json:"failing"`
			OKAgeMs *int64 `json:"ok_age_ms"`
		} `json:"services"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return answer{}, errAnswer // the decoder's error could quote the answer
	}
	if raw.Instance == "" || len(raw.Instance) > maxInstance || raw.Services == nil {
		return answer{}, errAnswer
	}
	a := answer{instance: raw.Instance, services: make(map[string]serviceState, len(raw.Services))}
	for name, s := range raw.Services {
		if !isStatus(s.Status) {
			return answer{}, fmt.Errorf("%w: an unknown status", errAnswer)
		}
		told := serviceState{known: true, proven: s.Proven, failing: s.Failing}
		if s.OKAgeMs != nil {
			if *s.OKAgeMs < 0 || *s.OKAgeMs > int64(maxAge/time.Millisecond) {
				return answer{}, fmt.Errorf("%w: an impossible age", errAnswer)
			}
			told.ok, told.okAge = true, time.Duration(*s.OKAgeMs)*time.Millisecond
		}
		a.services[name] = told
	}
	return a, nil
}

// maxAge is far above the age of any process.
const maxAge = 100 * 365 * 24 * time.Hour

func isStatus(text string) bool {
	for _, s := range health.Statuses() {
		if s.String() == text {
			return true
		}
	}
	return false
}
