package controller

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

const (
	// writeInterval is the least time between two writes of one object: every watcher of it
	// is told of each.
	writeInterval = 2 * time.Second
	// maxBackoff is the longest time to the next write after writes that failed.
	maxBackoff = time.Minute
	// writeTimeout bounds one write.
	writeTimeout = 10 * time.Second
)

// writer writes what rounds found into the status of objects, on change only, and Events. It
// observes in every replica, so that the next leader knows what was told, and writes while
// it leads.
type writer struct {
	client   client.Client // reads from the cache
	recorder events.EventRecorder
	log      *slog.Logger
	wake     chan struct{}
	results  *prometheus.CounterVec

	mu      sync.Mutex
	leads   bool
	objects map[fleet.Workload]*object
	failing string // why the latest write failed; "" where it did not
}

// object is what the writer knows of one DependencyHealth.
type object struct {
	pending *fleet.Summary // newest, where it is not written yet
	outages *outages
	notes   []note
	due     time.Time // when it may be written next
	backoff time.Duration

	// written is the status that this leader wrote last, into the object of that UID. The
	// cache may be behind it.
	written *v1alpha1.DependencyHealthStatus
	uid     types.UID
}

func newWriter(c client.Client, recorder events.EventRecorder, registry prometheus.Registerer, log *slog.Logger) (*writer, error) {
	w := &writer{
		client: c, recorder: recorder, log: log, wake: make(chan struct{}, 1), objects: map[fleet.Workload]*object{},
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reims_fleet_status_writes_total", Help: "Writes of the status of DependencyHealth objects, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{resultOK, resultFailed} {
		w.results.WithLabelValues(result)
	}
	leads := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "reims_fleet_leader", Help: "1 where this replica is the one that writes statuses and Events, else 0.",
	}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.leads {
			return 1
		}
		return 0
	})
	for _, c := range []prometheus.Collector{w.results, leads} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return w, nil
}

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// observe takes in what a round found. It does not block: it reads from the cache at most.
func (w *writer) observe(s *fleet.Summary) {
	name := s.Target.Workload
	var before v1alpha1.DependencyHealth
	if w.object(name) == nil {
		if err := w.client.Get(context.Background(), objectKey(name), &before); err != nil {
			return // it was deleted meanwhile, or comes in again
		}
	}
	w.mu.Lock()
	o := w.objects[name]
	if o == nil {
		o = &object{outages: newOutages(&before.Status)}
		w.objects[name] = o
	}
	o.pending = s
	if notes := o.outages.next(s); w.leads {
		o.notes = append(o.notes, notes...)
	}
	w.mu.Unlock()
	w.alert()
}

func (w *writer) object(name fleet.Workload) *object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.objects[name]
}

// forget drops what is known of an object that is gone.
func (w *writer) forget(name fleet.Workload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.objects, name)
}

func (w *writer) alert() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look
	}
}

// lead writes until ctx ends.
func (w *writer) lead(ctx context.Context) {
	w.log.Info("leading: this replica writes statuses and Events")
	w.setLeads(true)
	defer w.setLeads(false)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			w.log.Info("no longer leading: another replica writes")
			return
		case <-w.wake:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			name, o, wait := w.next()
			if o == nil {
				timer.Reset(wait)
				break
			}
			w.write(ctx, name, o)
		}
	}
}

func (w *writer) setLeads(leads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leads = leads
	for _, o := range w.objects { // another leader may have written, or will
		o.written, o.notes = nil, nil
	}
}

// next returns an object that is due, or nil and the time until one is.
func (w *writer) next() (fleet.Workload, *object, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Minute
	for name, o := range w.objects {
		if o.pending == nil && len(o.notes) == 0 {
			continue
		}
		left := time.Until(o.due)
		if left <= 0 {
			return name, o, 0
		}
		wait = min(wait, left)
	}
	return fleet.Workload{}, nil, wait
}

// write brings one object up to date. Only the leader's goroutine calls it.
func (w *writer) write(ctx context.Context, name fleet.Workload, o *object) {
	w.mu.Lock()
	summary, notes := o.pending, o.notes
	o.pending, o.notes = nil, nil
	w.mu.Unlock()

	wrote, err := w.writeStatus(ctx, name, o, summary, notes)
	if apierrors.IsNotFound(err) { // the reconciler forgets it
		err = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && ctx.Err() == nil:
		w.results.WithLabelValues(resultFailed).Inc()
		o.backoff = min(max(2*o.backoff, writeInterval), maxBackoff)
		o.due = time.Now().Add(o.backoff)
		if o.pending == nil {
			o.pending = summary
		}
		w.complain(name, err)
	case wrote:
		w.results.WithLabelValues(resultOK).Inc()
		o.backoff, o.due = 0, time.Now().Add(writeInterval)
		if w.failing != "" {
			w.failing = ""
			w.log.Info("statuses can be written again")
		}
	}
}

// complain logs a failure unless the one before was of the same kind.
func (w *writer) complain(name fleet.Workload, err error) {
	kind := string(apierrors.ReasonForError(err))
	if kind == string(metav1.StatusReasonUnknown) {
		kind = "unreachable"
	}
	if kind == w.failing {
		return
	}
	w.failing = kind
	w.log.Error("the status of a DependencyHealth cannot be written; asking, the page and the metrics go on",
		"object", name.String(), "kind", kind, "error", err)
}

// writeStatus writes the status where it changed, then the Events. Events are sent in the
// background and never fail.
func (w *writer) writeStatus(ctx context.Context, name fleet.Workload, o *object, summary *fleet.Summary, notes []note) (wrote bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var have v1alpha1.DependencyHealth
	if err := w.client.Get(ctx, objectKey(name), &have); err != nil {
		return false, fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	if o.written != nil && o.uid == have.UID {
		have.Status = *o.written
	}
	if summary != nil {
		want := have.DeepCopy()
		want.Status = statusOf(summary, &have.Status)
		if !equality.Semantic.DeepEqual(want.Status, have.Status) {
			if err := w.client.Status().Patch(ctx, want, client.MergeFrom(&have)); err != nil {
				return false, fmt.Errorf("write the status of DependencyHealth %s: %w", name, err)
			}
			wrote = true
		}
		o.written, o.uid = &want.Status, have.UID
	}
	for _, n := range notes {
		kind := corev1.EventTypeNormal
		if n.warning {
			kind = corev1.EventTypeWarning
		}
		w.recorder.Eventf(&have, nil, kind, n.reason, "Check", "%s", n.message)
	}
	return wrote, nil
}
