package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Event is an alert that arrived at a receiver: that it fires, or that it is over.
type Event struct {
	At       time.Time
	Receiver string // of Alertmanager's configuration: page or ticket
	Alert
	Resolved bool
}

// Alert is one alert as Alertmanager knows it.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// String is the alert's name and labels, in a fixed order.
func (a Alert) String() string {
	parts := []string{a.Labels["alertname"]}
	for _, label := range []string{"severity", "namespace", "service", "node", "mode"} {
		if value := a.Labels[label]; value != "" {
			parts = append(parts, label+"="+value)
		}
	}
	return strings.Join(parts, " ")
}

// Receiver is who Alertmanager tells. It remembers what is news: not that the same alert
// still fires, nor that one is over which was silenced and so never told (Alertmanager
// adds those to a group's message). Its methods may be called concurrently.
type Receiver struct {
	listener net.Listener
	server   http.Server
	serving  sync.WaitGroup

	mu     sync.Mutex      // guards what follows
	told   map[string]bool // whether it still fires, of each alert that was told
	events []Event
	notify func(Event)
}

// NewReceiver listens on loopback. notify, if any, is called with each event.
func NewReceiver(notify func(Event)) (*Receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Receiver{listener: listener, told: map[string]bool{}, notify: notify}
	r.server.Handler = http.HandlerFunc(r.receive)
	r.serving.Go(func() { _ = r.server.Serve(listener) }) // it always ends with an error
	return r, nil
}

// URL is where the receiver of that name sends to.
func (r *Receiver) URL(name string) string {
	return fmt.Sprintf("http://%s/%s", r.listener.Addr(), name)
}

// Events returns what arrived so far, in order.
func (r *Receiver) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Close stops listening.
func (r *Receiver) Close() error {
	defer r.serving.Wait()
	return r.server.Shutdown(context.Background())
}

// message is a webhook of Alertmanager.
type message struct {
	Alerts []struct {
		Alert
		Status      string    `json:"status"`
		StartsAt    time.Time `json:"startsAt"`
		Fingerprint string    `json:"fingerprint"`
	} `json:"alerts"`
}

func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) {
	var m message
	if err := json.NewDecoder(request.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range m.Alerts {
		key := fmt.Sprint(a.Fingerprint, a.StartsAt)
		resolved := a.Status == "resolved"
		firing, told := r.told[key]
		if news := !told && !resolved || firing && resolved; !news {
			continue
		}
		r.told[key] = !resolved
		e := Event{At: time.Now(), Receiver: path.Base(request.URL.Path), Alert: a.Alert, Resolved: resolved}
		r.events = append(r.events, e)
		if r.notify != nil {
			r.notify(e)
		}
	}
}
