package controller

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
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
	// is told of each.
	writeInterval = 2 * time.Second
	// countsInterval is the same where numbers of Pods alone have changed, as they do while an outage
	// spreads.
	countsInterval = 5 * time.Second
	// maxBackoff is the longest time to the next write after writes that failed.
	maxBackoff = time.Minute
	// writeTimeout bounds one write.
	writeTimeout = 10 * time.Second
	// maxNotes bounds the Events of one object that wait while they cannot be written. The
	// oldest are dropped.
	maxNotes = 16
	// maxNote and maxInstance are the API's limits, in bytes.
	maxNote     = 1024
	maxInstance = 128
)

// writer writes what rounds found into the status of objects, on change only, and Events. It
// observes in every replica, so that the next leader knows what was told, and writes while
// it leads.
type writer struct {
	client   client.Client // reads from the cache
	live     client.Reader // does not
	instance string        // this replica's name in Events
	log      *slog.Logger
	wake     chan struct{}
	results  *prometheus.CounterVec

	mu      sync.Mutex
	leads   bool
	objects map[fleet.Workload]*object
	failing map[string]string // why the latest write failed, by what was written
	dropped bool              // the API server does not keep the whole status, and the log has it
}

// object is what the writer knows of one DependencyHealth.
type object struct {
	pending *fleet.Summary // newest, where it is not written yet
	outages *outages
	notes   []note // which this leader has to write
	// adopted is that this leader has read the status that was there, which says what earlier
	// leaders told. Until then it writes no Event.
	adopted bool
	// When its status and its Events may be written next. The one does not wait for the other:
	// the rights may be there for one alone.
	status, events retry

	// written is the status that this leader wrote last, into the object of that UID, whose
	// resourceVersion it then had. The cache may be behind it; where it is ahead, somebody else
	// wrote.
	written *v1alpha1.DependencyHealthStatus
	uid     types.UID
	version string
	wrote   time.Time
	// doubtful says that the cache is not to be trusted: the latest write failed, perhaps after the
	// API server had taken it, or found that somebody else had written.
	doubtful bool
}

// eventsDue is when its Events may be written: not before the status, which says that they were, so
// that the next leader does not write them again. Where the status cannot be written, they do not wait.
func (o *object) eventsDue() time.Time {
	if o.pending != nil && o.status.backoff == 0 && o.status.due.After(o.events.due) {
		return o.status.due
	}
	return o.events.due
}

// retry is when something may be tried next.
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
	if notes := o.outages.next(s); w.leads && o.adopted {
		o.notes = append(o.notes, notes...)
		o.notes = o.notes[max(0, len(o.notes)-maxNotes):]
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
		o.written, o.notes, o.adopted = nil, nil, false
		if o.status.backoff > 0 {
			o.status = retry{}
		}
		o.events = retry{}
	}
}

// next returns an object that is due, or nil and the time until one is.
func (w *writer) next() (fleet.Workload, *object, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Minute
	for name, o := range w.objects {
		left := wait
		if o.pending != nil {
			left = min(left, time.Until(o.status.due))
		}
		if len(o.notes) > 0 {
			left = min(left, time.Until(o.eventsDue()))
		}
		if left <= 0 {
			return name, o, 0
		}
		wait = min(wait, left)
	}
	return fleet.Workload{}, nil, wait
}

// What is written, for the log.
const (
	theStatus = "status"
	anEvent   = "Event"
)

// write brings one object up to date. Only the leader's goroutine calls it.
func (w *writer) write(ctx context.Context, name fleet.Workload, o *object) {
	now := time.Now()
	var summary *fleet.Summary
	var notes []note
	w.mu.Lock()
	if !o.status.due.After(now) {
		summary, o.pending = o.pending, nil
	}
	if !o.eventsDue().After(now) {
		notes, o.notes = o.notes, nil
	}
	w.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	have, err := w.read(limited, name, o)
	if apierrors.IsNotFound(err) {
		return // the reconciler forgets it
	}
	wrote, left, failed := false, notes, err
	if err == nil {
		wrote, err = w.writeStatus(limited, o, have, summary)
		if apierrors.IsConflict(err) { // somebody else wrote meanwhile: see what
			if have, err = w.read(limited, name, o); err == nil {
				wrote, err = w.writeStatus(limited, o, have, summary)
			}
		}
		if have != nil {
			left, failed = w.writeEvents(limited, have, notes)
		} else {
			failed = err
		}
	}
	if ctx.Err() != nil { // the next leader goes on
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
		w.complain(theStatus, name, err)
	case wrote:
		w.results.WithLabelValues(resultOK).Inc()
		o.status.succeeded(writeInterval)
		w.recovered(theStatus)
	}
	switch {
	case failed != nil && len(left) > 0:
		o.events.failed()
		o.notes = append(left, o.notes...)
		w.complain(anEvent, name, failed)
	case len(notes) > 0:
		o.events.succeeded(0)
		w.recovered(anEvent)
	}
}

// complain logs a failure unless the one before was of the same kind.
func (w *writer) complain(what string, name fleet.Workload, err error) {
	kind := string(apierrors.ReasonForError(err))
	if kind == string(metav1.StatusReasonUnknown) {
		kind = "unreachable"
	}
	if kind == w.failing[what] {
		return
	}
	w.failing[what] = kind
	w.log.Error("a DependencyHealth cannot be written; asking, the page and the metrics go on",
		"object", name.String(), "what", what, "kind", kind, "error", err)
}

func (w *writer) recovered(what string) {
	if w.failing[what] != "" {
		w.failing[what] = ""
		w.log.Info("a DependencyHealth can be written again", "what", what)
	}
}

// read returns the object with the status that it has, as far as this leader knows.
func (w *writer) read(ctx context.Context, name fleet.Workload, o *object) (*v1alpha1.DependencyHealth, error) {
	if !o.adopted {
		if err := w.adopt(ctx, name, o); err != nil {
			return nil, err
		}
	}
	reader := client.Reader(w.client)
	if o.doubtful {
		reader = w.live
	}
	var have v1alpha1.DependencyHealth
	if err := reader.Get(ctx, objectKey(name), &have); err != nil {
		return nil, fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	if o.written != nil && o.uid == have.UID && !isNewer(have.ResourceVersion, o.version) {
		have.Status, have.ResourceVersion = *o.written, o.version
	}
	return &have, nil
}

// isNewer reports whether the first of two versions of an object is the newer one, or whether
// they cannot be compared.
func isNewer(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err != nil || order > 0
}

// writeStatus writes the status where it changed. The API server refuses it where the object is no
// longer the one that was read: an earlier leader's write that comes late changes nothing.
func (w *writer) writeStatus(ctx context.Context, o *object, have *v1alpha1.DependencyHealth, summary *fleet.Summary) (wrote bool, err error) {
	if summary == nil {
		return false, nil
	}
	before := &have.Status
	if o.written != nil && o.uid == have.UID {
		before = o.written // times that others wrote into the status do not count
	}
	w.mu.Lock()
	status := statusOf(summary, before, o.outages.announced)
	if equality.Semantic.DeepEqual(status, have.Status) {
		w.mu.Unlock()
		o.written, o.uid, o.version, o.doubtful = &status, have.UID, have.ResourceVersion, false
		return false, nil
	}
	if due := o.wrote.Add(countsInterval); time.Now().Before(due) && essence(&status) == essence(&have.Status) {
		if o.status.due = due; o.pending == nil {
			o.pending = summary
		}
		w.mu.Unlock()
		return false, nil
	}
	w.mu.Unlock()
	got, err := w.patch(ctx, have, &status)
	if err != nil {
		if o.doubtful = true; !apierrors.IsConflict(err) {
			o.written = nil
		}
		return false, fmt.Errorf("write the status of DependencyHealth %s: %w", summary.Target.Workload, err)
	}
	// The status as it was sent: what an old definition drops is not sent again and again.
	o.written, o.uid, o.version, o.doubtful, o.wrote = &status, have.UID, got.ResourceVersion, false, time.Now()
	w.compare(&got.Status, &status)
	return true, nil
}

// patch has the API server make the status of an object another one, and returns what it then has.
func (w *writer) patch(ctx context.Context, have *v1alpha1.DependencyHealth, status *v1alpha1.DependencyHealthStatus) (*v1alpha1.DependencyHealth, error) {
	want := have.DeepCopy()
	status.DeepCopyInto(&want.Status)
	data, err := client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{}).Data(want)
	if err != nil {
		return nil, err
	}
	got := &v1alpha1.DependencyHealth{ObjectMeta: metav1.ObjectMeta{Namespace: have.Namespace, Name: have.Name}}
	return got, w.client.Status().Patch(ctx, got, client.RawPatch(types.MergePatchType, data))
}

// compare logs once that the API server does not keep what it was sent.
func (w *writer) compare(got, sent *v1alpha1.DependencyHealthStatus) {
	w.mu.Lock()
	before := w.dropped
	w.dropped = !equality.Semantic.DeepEqual(got, sent)
	now := w.dropped
	w.mu.Unlock()
	if now && !before {
		w.log.Warn("the API server drops fields of the status: its CustomResourceDefinition is older than this program; apply that of the chart")
	}
}

// writeEvents returns those that are not written.
func (w *writer) writeEvents(ctx context.Context, about *v1alpha1.DependencyHealth, notes []note) ([]note, error) {
	for i, n := range notes {
		if err := w.client.Create(ctx, w.event(about, n)); err != nil && !apierrors.IsAlreadyExists(err) {
			return notes[i:], fmt.Errorf("write an Event about DependencyHealth %s/%s: %w", about.Namespace, about.Name, err)
		}
	}
	return nil, nil
}

// adopt goes on from what is written, of which the cache may be behind: by another leader,
// or by this replica when it led before.
func (w *writer) adopt(ctx context.Context, name fleet.Workload, o *object) error {
	var have v1alpha1.DependencyHealth
	if err := w.live.Get(ctx, objectKey(name), &have); err != nil {
		return fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o.outages, o.adopted = o.outages.resumed(&have.Status), true
	o.written, o.uid, o.version = &have.Status, have.UID, have.ResourceVersion
	return nil
}

// event returns the Event of a note. With a name of its own, an Event that is sent again,
// since the answer to the first attempt was lost, is there once.
func (w *writer) event(about *v1alpha1.DependencyHealth, n note) *eventsv1.Event {
	hash := fnv.New64a()
	fmt.Fprint(hash, about.UID, n.service, n.reason, n.at.UnixNano())
	kind := corev1.EventTypeNormal
	if n.warning {
		kind = corev1.EventTypeWarning
	}
	const maxName = 253 - len(".0123456789abcdef")
	object := strings.TrimRight(about.Name[:min(len(about.Name), maxName)], "-.")
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: about.Namespace, Name: fmt.Sprintf("%s.%016x", object, hash.Sum64())},
		EventTime:  metav1.NewMicroTime(n.at), Type: kind, Reason: n.reason, Action: "Check", Note: shortened(n.message, maxNote),
		ReportingController: component, ReportingInstance: w.instance[:min(len(w.instance), maxInstance)],
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion().String(), Kind: "DependencyHealth",
			Namespace: about.Namespace, Name: about.Name, UID: about.UID,
		},
	}
}

// shortened is a text of at most so many bytes.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
