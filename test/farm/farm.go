// Package farm stands in for thousands of sidecars in one process: it lays out their Pods,
// and answers on connections in memory as sidecars do, or as they should not. The answers of
// the real sidecar are held against pkg/fleet elsewhere.
package farm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
)

// Service is what a sidecar says of one service.
type Service struct {
	Name   string
	Status health.Status
	Reason health.Reason
}

// Behaviour is what a sidecar does when it is asked.
type Behaviour struct {
	// Refused: there is no connection.
	Refused bool
	// Silent: it accepts the connection and never answers.
	Silent bool
	// Delay is before the answer.
	Delay time.Duration
	// Response is written as it is, header and all: see [Response].
	Response []byte
}

// Healthy is a sidecar all of whose services are healthy: a database and redis.
func Healthy() Behaviour {
	return Behaviour{Response: Response(Service{Name: "database", Status: health.Healthy}, Service{Name: "redis", Status: health.Healthy})}
}

// Refused is one that does not reach its database.
func Refused() Behaviour {
	return Behaviour{Response: Response(
		Service{Name: "database", Status: health.Unhealthy, Reason: health.ReasonRefused}, Service{Name: "redis", Status: health.Healthy})}
}

// Always is how all sidecars behave.
func Always(b Behaviour) func(netip.AddrPort) Behaviour {
	return func(netip.AddrPort) Behaviour { return b }
}

// Some is how sidecars behave of which those differ whose number fits.
func Some(fits func(i int) bool, then, otherwise Behaviour) func(netip.AddrPort) Behaviour {
	return func(a netip.AddrPort) Behaviour {
		if fits(Number(a)) {
			return then
		}
		return otherwise
	}
}

// Farm answers for every address that is dialled.
type Farm struct {
	behaviour   atomic.Pointer[func(netip.AddrPort) Behaviour]
	connections atomic.Int64
	open        atomic.Int64
	requests    atomic.Int64
}

// New returns a farm whose sidecars behave so; the function may be called by several
// goroutines at once.
func New(behaviour func(netip.AddrPort) Behaviour) *Farm {
	f := &Farm{}
	f.Set(behaviour)
	return f
}

// Set changes how the sidecars behave.
func (f *Farm) Set(behaviour func(netip.AddrPort) Behaviour) { f.behaviour.Store(&behaviour) }

// Requests is how many requests were read.
func (f *Farm) Requests() int64 { return f.requests.Load() }

// Connections is how many connections were opened.
func (f *Farm) Connections() int64 { return f.connections.Load() }

// Open is how many connections are open.
func (f *Farm) Open() int64 { return f.open.Load() }

// Dial connects to the sidecar of an address. Its goroutine ends with the connection.
func (f *Farm) Dial(_ context.Context, _, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if (*f.behaviour.Load())(at).Refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	f.connections.Add(1)
	f.open.Add(1)
	client, server := net.Pipe()
	go f.serve(server, at)
	return client, nil
}

// Serve answers on the connections that a listener accepts, each for the address that it came
// to, until the listener is closed.
func (f *Farm) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		at, err := netip.ParseAddrPort(conn.LocalAddr().String())
		if err != nil {
			return err
		}
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		f.connections.Add(1)
		f.open.Add(1)
		go f.serve(conn, at)
	}
}

// serve answers on a connection that came to the address.
func (f *Farm) serve(conn net.Conn, at netip.AddrPort) {
	defer func() {
		_ = conn.Close()
		f.open.Add(-1)
	}()
	reader := bufio.NewReaderSize(conn, 512)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		f.requests.Add(1)
		b := (*f.behaviour.Load())(at)
		if b.Refused {
			return
		}
		if b.Silent {
			b.Delay = time.Hour
		}
		if b.Delay > 0 && !pause(conn, b.Delay) {
			return
		}
		if _, err := conn.Write(b.Response); err != nil || r.Close {
			return
		}
	}
}

// pause waits, and returns false at once where the other side goes.
func pause(conn net.Conn, d time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(d))
	_, err := conn.Read(make([]byte, 1))
	_ = conn.SetReadDeadline(time.Time{})
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Response is a whole response of a sidecar whose services are so, in its `safe` form.
func Response(services ...Service) []byte { return Respond(Body(services...)) }

// Respond is a response with the body.
func Respond(body string) []byte {
	code := "200 OK"
	if strings.Contains(body, `"status":"unhealthy"`) {
		code = "503 Service Unavailable"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
}

// Body is the body of that response.
func Body(services ...Service) string {
	const checked = `"latency_ms":3.125,"pool_size":4,"pool_free":3,"pool_active":1,"connections_used":17,"connections_max":100,"schema_required":3,"schema_current":3,` +
		`"app_connections_active":2,"app_connections_idle":5,"checked_at":"2026-03-14T09:26:50.000Z","since":"2026-03-14T09:00:00.000Z"`
	var statuses, details []string
	worst := health.Healthy
	for _, s := range services {
		worst = max(worst, s.Status)
		name, _ := json.Marshal(s.Name)
		statuses = append(statuses, fmt.Sprintf("%s:%q", name, s.Status))
		fault := ""
		if s.Reason != "" {
			reason, _ := json.Marshal(s.Reason)
			fault = fmt.Sprintf(`,"reason":%s,"consecutive_failures":3,"last_success":"2026-03-14T08:59:55.000Z","next_step":"Look at the server."`, reason)
		}
		details = append(details, fmt.Sprintf("%s:{%s%s}", name, checked, fault))
	}
	return fmt.Sprintf(`{"success":%t,"status":%q,"services":{%s},"details":{%s},"timestamp":"2026-03-14T09:26:53.000Z","check_duration_ms":4.5}`+"\n",
		worst != health.Unhealthy, worst, strings.Join(statuses, ","), strings.Join(details, ","))
}

// Pods lays out n Pods over nodes of so many Pods each, and the nodes over so many zones.
func Pods(n, perNode, zones int) []fleet.Pod {
	pods := make([]fleet.Pod, n)
	for i := range pods {
		node := i / perNode
		pods[i] = fleet.Pod{
			UID: fmt.Sprintf("uid-%05d", i), Name: fmt.Sprintf("reims-7c9d6b5f4-%05d", i), Ready: true,
			Node: fmt.Sprintf("node-%03d", node), Address: Address(i),
		}
		if zones > 0 {
			pods[i].Zone = string(rune('a' + node%zones))
		}
	}
	return pods
}

// Address is that of the Pod with the number.
func Address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 8008)
}

// Number is that of the Pod with the address.
func Number(a netip.AddrPort) int {
	b := a.Addr().As4()
	return int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}
