package controller

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

const (
	// writeInterval is the least time between two writes of one object: every watcher of it
	// is notified of each.
	writeInterval = 2 * time.Second
	// countsInterval is the least time if only numbers or names of Pods have changed, as they do while an
	// outage spreads.
	countsInterval = 5 * time.Second
	// maxBackoff is the longest delay before a failed write is tried again.
	maxBackoff = time.Minute
	// writeTimeout bounds one write.
	writeTimeout = 10 * time.Second
)

// writer writes the results of rounds into the status of DependencyHealth objects, only if they
// change, and creates Events. It observes in every replica, so that the next leader knows the
// outages, and writes while it is the leader.
type writer struct {
	client   client.Client // reads from the cache
	live     client.Reader // reads from the API server
	instance string        // this replica's name in Events
	log      *slog.Logger
	wake     chan struct{}
	results  *prometheus.CounterVec

	mu      sync.Mutex
	leading bool
	objects map[fleet.Workload]*object
	failing map[string]string // kind of the latest error, by what was written
	dropped bool              // the API server drops fields of the status, and this was logged
}

// object is the writer's state of one DependencyHealth.
type object struct {
	pending       *fleet.Summary // the newest, if it is not written yet
	outages       *outages
	pendingEvents []pendingEvent // those that this leader has to create
	// loaded is true after this leader has read the status from the API server. The status says which
	// outages earlier leaders announced; before that, this leader creates no Event.
	loaded bool
	// When the status and the Events may be written next. They have separate backoffs, since the
	// program may have the rights for only one of them.
	status, events retry

	// written is the status that this leader wrote last, into the object with this UID; version is the
	// resourceVersion after that write. The cache may be older. If it is newer, another client has
	// written.
	written *v1alpha1.DependencyHealthStatus
	uid     types.UID
	version string
	wrote   time.Time
	// cacheSuspect makes the next read go to the API server: the latest write failed, perhaps after the
	// API server had applied it, or because another client had written.
	cacheSuspect bool
}

// retry is the backoff of one kind of write.
type retry struct {
	due     time.Time
	backoff time.Duration
}

func (r *retry) succeeded(pause time.Duration) { r.backoff, r.due = 0, time.Now().Add(pause) }

func (r *retry) failed() {
	r.backoff = min(max(2*r.backoff, writeInterval), maxBackoff)
	r.due = time.Now().Add(r.backoff)
}

func newWriter(c client.Client, live client.Reader, instance string, registry prometheus.Registerer, log *slog.Logger) (*writer, error) {
	w := &writer{
		client: c, live: live, instance: cmp.Or(instance, component), log: log, wake: make(chan struct{}, 1), objects: map[fleet.Workload]*object{}, failing: map[string]string{},
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reims_fleet_status_writes_total", Help: "Writes of the status of DependencyHealth objects, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{resultOK, resultFailed} {
		w.results.WithLabelValues(result)
	}
	leading := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "reims_fleet_leader", Help: "1 if this replica is the leader, which writes statuses and Events; else 0.",
	}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.leading {
			return 1
		}
		return 0
	})
	for _, c := range []prometheus.Collector{w.results, leading} {
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

// observe stores the summary of a round, and finds the Events for it. It reads at most from the cache.
func (w *writer) observe(s *fleet.Summary) {
	name := s.Target.Workload
	var before v1alpha1.DependencyHealth
	if w.object(name) == nil {
		if err := w.client.Get(context.Background(), objectKey(name), &before); err != nil {
			return // it was deleted, or the cache does not have it yet: the next round tries again
		}
	}
	w.mu.Lock()
	o := w.objects[name]
	if o == nil {
		o = &object{outages: newOutages(&before.Status)}
		w.objects[name] = o
	}
	o.pending = s
	if pendingEvents := o.outages.next(s); w.leading && o.loaded {
		o.pendingEvents = append(o.pendingEvents, pendingEvents...)
		o.pendingEvents = o.pendingEvents[max(0, len(o.pendingEvents)-maxPendingEvents):]
	}
	w.mu.Unlock()
	w.wakeUp()
}

func (w *writer) object(name fleet.Workload) *object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.objects[name]
}

// forget removes the state of an object that is gone.
func (w *writer) forget(name fleet.Workload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.objects, name)
}

func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default: // lead is about to wake anyway
	}
}

// lead writes until ctx ends, which is when this replica is no longer the leader.
func (w *writer) lead(ctx context.Context) {
	w.log.Info("leading: this replica writes statuses and Events")
	w.setLeading(true)
	defer w.setLeading(false)
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

func (w *writer) setLeading(leading bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leading = leading
	for _, o := range w.objects { // another leader may have written, or will write
		o.written, o.pendingEvents, o.loaded = nil, nil, false
		if o.status.backoff > 0 {
			o.status = retry{}
		}
		o.events = retry{}
	}
}

// next returns an object that is due, or nil and the time until the next one is.
func (w *writer) next() (fleet.Workload, *object, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Minute
	for name, o := range w.objects {
		left := wait
		if o.pending != nil {
			left = min(left, time.Until(o.status.due))
		}
		if len(o.pendingEvents) > 0 {
			left = min(left, time.Until(o.eventsDue()))
		}
		if left <= 0 {
			return name, o, 0
		}
		wait = min(wait, left)
	}
	return fleet.Workload{}, nil, wait
}

// What is written, as the log names it.
const (
	writtenStatus = "status"
	writtenEvent  = "Event"
)

// write writes the status and the Events of one object. Only the goroutine of lead calls it.
func (w *writer) write(ctx context.Context, name fleet.Workload, o *object) {
	now := time.Now()
	var summary *fleet.Summary
	var pendingEvents []pendingEvent
	w.mu.Lock()
	if !o.status.due.After(now) {
		summary, o.pending = o.pending, nil
	}
	if !o.eventsDue().After(now) {
		pendingEvents, o.pendingEvents = o.pendingEvents, nil
	}
	w.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	current, err := w.read(limited, name, o)
	if apierrors.IsNotFound(err) {
		return // the reconciler calls forget
	}
	wrote, left, failed := false, pendingEvents, err
	if err == nil {
		wrote, err = w.writeStatus(limited, o, current, summary)
		if apierrors.IsConflict(err) { // another client has written: read again
			if current, err = w.read(limited, name, o); err == nil {
				wrote, err = w.writeStatus(limited, o, current, summary)
			}
		}
		if current != nil {
			left, failed = w.writeEvents(limited, current, pendingEvents)
		} else {
			failed = err
		}
	}
	if ctx.Err() != nil { // no longer the leader: the next one writes
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && summary != nil:
		w.results.WithLabelValues(resultFailed).Inc()
		o.status.failed()
		if o.pending == nil {
			o.pending = summary
		}
		w.logFailure(writtenStatus, name, err)
	case wrote:
		w.results.WithLabelValues(resultOK).Inc()
		o.status.succeeded(writeInterval)
		w.logRecovery(writtenStatus)
	}
	switch {
	case failed != nil && len(left) > 0:
		o.events.failed()
		o.pendingEvents = append(left, o.pendingEvents...)
		w.logFailure(writtenEvent, name, failed)
	case len(pendingEvents) > 0:
		o.events.succeeded(0)
		w.logRecovery(writtenEvent)
	}
}

// logFailure logs an error unless the previous one was of the same kind.
func (w *writer) logFailure(what string, name fleet.Workload, err error) {
	kind := string(apierrors.ReasonForError(err))
	if kind == string(metav1.StatusReasonUnknown) {
		kind = "unreachable"
	}
	if kind == w.failing[what] {
		return
	}
	w.failing[what] = kind
	w.log.Error("writing a DependencyHealth fails; the sidecars are still asked, and the page and the metrics still work",
		"object", name.String(), "what", what, "kind", kind, "error", err)
}

func (w *writer) logRecovery(what string) {
	if w.failing[what] != "" {
		w.failing[what] = ""
		w.log.Info("writing a DependencyHealth works again", "what", what)
	}
}

// read returns the object with the newest status that this leader knows.
func (w *writer) read(ctx context.Context, name fleet.Workload, o *object) (*v1alpha1.DependencyHealth, error) {
	if !o.loaded {
		if err := w.load(ctx, name, o); err != nil {
			return nil, err
		}
	}
	reader := client.Reader(w.client)
	if o.cacheSuspect {
		reader = w.live
	}
	var current v1alpha1.DependencyHealth
	if err := reader.Get(ctx, objectKey(name), &current); err != nil {
		return nil, fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	if o.written != nil && o.uid == current.UID && !isNewer(current.ResourceVersion, o.version) {
		current.Status, current.ResourceVersion = *o.written, o.version
	}
	return &current, nil
}

// isNewer reports whether a resourceVersion is newer than another one, or whether
// they cannot be compared.
func isNewer(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err != nil || order > 0
}

// writeStatus writes the status if it has changed. The API server refuses the write if the object has
// changed since it was read, so that a late write of an earlier leader changes nothing.
func (w *writer) writeStatus(ctx context.Context, o *object, current *v1alpha1.DependencyHealth, summary *fleet.Summary) (wrote bool, err error) {
	if summary == nil {
		return false, nil
	}
	before := &current.Status
	if o.written != nil && o.uid == current.UID {
		before = o.written // times that other clients wrote do not count
	}
	w.mu.Lock()
	status := statusOf(summary, before, o.outages.announced)
	if equality.Semantic.DeepEqual(status, current.Status) {
		w.mu.Unlock()
		o.written, o.uid, o.version, o.cacheSuspect = &status, current.UID, current.ResourceVersion, false
		return false, nil
	}
	if due := o.wrote.Add(countsInterval); time.Now().Before(due) && significantParts(&status) == significantParts(&current.Status) {
		if o.status.due = due; o.pending == nil {
			o.pending = summary
		}
		w.mu.Unlock()
		return false, nil
	}
	w.mu.Unlock()
	got, err := w.patch(ctx, current, &status)
	if err != nil {
		if o.cacheSuspect = true; !apierrors.IsConflict(err) {
			o.written = nil
		}
		return false, fmt.Errorf("write the status of DependencyHealth %s: %w", summary.Target.Workload, err)
	}
	// Keep the status as it was sent, so that fields that an old CRD drops are not sent again.
	o.written, o.uid, o.version, o.cacheSuspect, o.wrote = &status, current.UID, got.ResourceVersion, false, time.Now()
	w.checkDropped(&got.Status, &status)
	return true, nil
}

// patch replaces the status of an object, and returns the object as the API server has it then.
func (w *writer) patch(ctx context.Context, current *v1alpha1.DependencyHealth, status *v1alpha1.DependencyHealthStatus) (*v1alpha1.DependencyHealth, error) {
	want := current.DeepCopy()
	status.DeepCopyInto(&want.Status)
	data, err := client.MergeFromWithOptions(current, client.MergeFromWithOptimisticLock{}).Data(want)
	if err != nil {
		return nil, err
	}
	got := &v1alpha1.DependencyHealth{ObjectMeta: metav1.ObjectMeta{Namespace: current.Namespace, Name: current.Name}}
	return got, w.client.Status().Patch(ctx, got, client.RawPatch(types.MergePatchType, data))
}

// checkDropped logs once that the API server did not keep the whole status.
func (w *writer) checkDropped(got, sent *v1alpha1.DependencyHealthStatus) {
	w.mu.Lock()
	before := w.dropped
	w.dropped = !equality.Semantic.DeepEqual(got, sent)
	now := w.dropped
	w.mu.Unlock()
	if now && !before {
		w.log.Warn("the API server drops fields of the status: its CustomResourceDefinition is older than this program; apply the one in the chart")
	}
}

// load reads the status from the API server, since the cache may be older: another leader, or this
// replica as an earlier leader, may have written it.
func (w *writer) load(ctx context.Context, name fleet.Workload, o *object) error {
	var current v1alpha1.DependencyHealth
	if err := w.live.Get(ctx, objectKey(name), &current); err != nil {
		return fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o.outages, o.loaded = o.outages.resumed(&current.Status), true
	o.written, o.uid, o.version = &current.Status, current.UID, current.ResourceVersion
	return nil
}
