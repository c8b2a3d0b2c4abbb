package controller

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	toolscache "k8s.io/client-go/tools/cache"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
	"github.com/reims/reims-health/pkg/health"
)

func endpoint(name, address string, edit ...func(*discoveryv1.Endpoint)) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{
		Addresses: []string{address}, NodeName: new("n1"), Zone: new("a"),
		Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: name, UID: types.UID("uid-" + name)},
	}
	for _, f := range edit {
		f(&e)
	}
	return e
}

// What Kubernetes says of a Pod in EndpointSlices becomes one Pod of the target, or none.
func TestPodsOfEndpointSlices(t *testing.T) {
	t.Parallel()
	slice := func(kind discoveryv1.AddressType, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
		return discoveryv1.EndpointSlice{AddressType: kind, Endpoints: endpoints}
	}
	got := podsOf([]discoveryv1.EndpointSlice{
		slice(discoveryv1.AddressTypeIPv6, endpoint("both", "fd00::1"), endpoint("six", "fd00::2")),
		slice(discoveryv1.AddressTypeIPv4,
			endpoint("both", "10.0.0.1"),
			endpoint("not-ready", "10.0.0.2", func(e *discoveryv1.Endpoint) { e.Conditions.Serving = new(false) }),
			endpoint("old", "10.0.0.3", func(e *discoveryv1.Endpoint) { e.Conditions = discoveryv1.EndpointConditions{Ready: new(true)} }),
			endpoint("loopback", "127.0.0.1"), endpoint("link", "169.254.169.254"), endpoint("many", "224.0.0.1"), endpoint("none", "0.0.0.0"),
			endpoint("going", "10.0.0.4", func(e *discoveryv1.Endpoint) { e.Conditions.Terminating = new(true) }),
			endpoint("", "10.0.0.5", func(e *discoveryv1.Endpoint) { e.TargetRef, e.NodeName, e.Zone = nil, nil, nil })),
		slice(discoveryv1.AddressTypeFQDN, endpoint("named", "pod.example")),
	}, 8008)
	pod := func(uid, name, node, zone, address string, ready bool) fleet.Pod {
		return fleet.Pod{UID: uid, Name: name, Node: node, Zone: zone, Address: netip.MustParseAddrPort(address), Ready: ready}
	}
	want := []fleet.Pod{
		pod("10.0.0.5", "10.0.0.5", "", "", "10.0.0.5:8008", true),
		pod("uid-both", "both", "n1", "a", "10.0.0.1:8008", true),
		pod("uid-not-ready", "not-ready", "n1", "a", "10.0.0.2:8008", false),
		pod("uid-old", "old", "n1", "a", "10.0.0.3:8008", true),
		pod("uid-six", "six", "n1", "a", "[fd00::2]:8008", true),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

// What the cache drops of an EndpointSlice is not missed by what is made of it.
func TestStripSlice(t *testing.T) {
	t.Parallel()
	whole := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "x", Namespace: "shop", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kube"}}, Annotations: map[string]string{"a": "b"},
			Labels: map[string]string{discoveryv1.LabelServiceName: "reims-peers", SidecarsLabel: "true", "team": "x"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{endpoint("one", "10.0.0.1"), endpoint("two", "10.0.0.2")},
		Ports:       []discoveryv1.EndpointPort{{Name: new("health")}},
	}
	before := podsOf([]discoveryv1.EndpointSlice{*whole.DeepCopy()}, 1)
	stripped, err := stripSlice(whole)
	if err != nil {
		t.Fatal(err)
	}
	after, ok := stripped.(*discoveryv1.EndpointSlice)
	if !ok || len(after.ManagedFields)+len(after.Ports)+len(after.Annotations) > 0 || len(after.Labels) != 1 {
		t.Errorf("left: %+v", stripped)
	}
	if diff := cmp.Diff(before, podsOf([]discoveryv1.EndpointSlice{*after}, 1), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

// summary is one of the database and of cache, each told by ten Pods.
func summary(at time.Time, database, cache fleet.ServiceSummary) *fleet.Summary {
	database.Name, cache.Name = "database", "cache"
	s := &fleet.Summary{
		Target: &fleet.Target{Workload: fleet.Workload{Namespace: "shop", Name: "reims"}, Generation: 3, Service: "reims-peers"},
		At:     at, Known: 10, Answering: 10, Ready: 9, Services: []fleet.ServiceSummary{cache, database},
	}
	s.Status = max(database.Status, cache.Status)
	return s
}

func service(status health.Status, unhealthy, degraded int, extent fleet.Extent, reason health.Reason, names ...string) fleet.ServiceSummary {
	s := fleet.ServiceSummary{
		Status: status, Extent: extent, Names: names,
		Pods: map[health.Status]int{health.Unhealthy: unhealthy, health.Degraded: degraded, health.Healthy: 10 - unhealthy - degraded},
	}
	if reason != "" {
		s.Reason, s.Reasons = reason, []fleet.ReasonCount{{Reason: reason, Pods: unhealthy + degraded}}
	}
	return s
}

var fine = service(health.Healthy, 0, 0, "", "")

func none(string) bool { return false }

func TestStatusWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 26, 53, 7, time.UTC)
	for name, tt := range map[string]struct {
		database, cache              fleet.ServiceSummary
		status, worst, extent, words string
	}{
		"well":   {fine, fine, "healthy", "", "", "every service is healthy for every Pod that answers"},
		"shared": {service(health.Unhealthy, 10, 0, "shared", "refused"), fine, "unhealthy", "database 10/10 refused", "shared", "database 10/10 refused shared"},
		"zones": {
			service(health.Degraded, 4, 0, "zone", "timeout", "a", "b"), service(health.Degraded, 0, 2, "", "slow"),
			"degraded", "database 4/10 timeout", "zone a +1", "cache 2/10 slow; database 4/10 timeout zone a +1",
		},
		"node":     {fine, service(health.Degraded, 1, 0, "node", "auth", "n1"), "degraded", "cache 1/10 auth", "node n1", "cache 1/10 auth node n1"},
		"pods":     {service(health.Degraded, 1, 0, "pods", "", "p"), fine, "degraded", "database 1/10", "pods", "database 1/10 pods"},
		"degraded": {service(health.Degraded, 0, 10, "", "slow"), fine, "degraded", "database 10/10 slow", "", "database 10/10 slow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := statusOf(summary(at, tt.database, tt.cache), &v1alpha1.DependencyHealthStatus{}, none)
			if got.Status != tt.status || got.Summary != (v1alpha1.Summary{Pods: "10/10", Worst: tt.worst, Extent: tt.extent}) {
				t.Errorf("%s %+v", got.Status, got.Summary)
			}
			if c := got.Conditions[0]; c.Message != tt.words || c.ObservedGeneration != 3 || got.ObservedGeneration != 3 {
				t.Errorf("Healthy is %+v", c)
			}
		})
	}
}

// Rounds that find the same give the same status, byte for byte, so that nothing is written.
func TestStatusOfTheSameIsTheSame(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	down := service(health.Unhealthy, 10, 0, "shared", "refused")
	first := statusOf(summary(began, down, fine), &v1alpha1.DependencyHealthStatus{}, none)
	if later := statusOf(summary(began.Add(time.Hour), down, fine), &first, none); !cmp.Equal(first, later) {
		t.Error(cmp.Diff(first, later))
	}
	back := statusOf(summary(began.Add(2*time.Hour), fine, fine), &first, none)
	if !back.Since.Time.Equal(began.Add(2*time.Hour)) || !back.Services[1].Since.Time.Equal(began.Add(2*time.Hour)) || !back.Services[0].Since.Time.Equal(began) {
		t.Errorf("%+v", back)
	}
}

func TestReportingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := summary(time.Now(), fine, fine)
	s.Answering, s.Failures, s.Status = 4, map[fleet.Failure]int{fleet.FailureTimeout: 5, fleet.FailureTLS: 1}, health.Unknown
	if c := reportingCondition(s); c.Status != metav1.ConditionFalse || !strings.HasPrefix(c.Message, "4 of 10 Pods answer: 5 timeout, 1 tls; look at") {
		t.Errorf("%+v", c)
	}
	if c := healthyCondition(s); c.Status != metav1.ConditionUnknown {
		t.Errorf("%+v", c)
	}
}

// Whatever the rounds find, Events come in turn for each service, the first begins, and none
// comes without two rounds in a row that agree.
func TestOutagesProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := newOutages(&v1alpha1.DependencyHealthStatus{})
		announced, before := false, ""
		for range rapid.IntRange(1, 50).Draw(t, "rounds") {
			s := fine
			switch rapid.IntRange(0, 3).Draw(t, "found") {
			case 1:
				s = service(health.Degraded, 2, 0, "pods", "refused", "a", "b")
			case 2:
				s = service(health.Unhealthy, 10, 0, "shared", "refused")
			case 3:
				s = fleet.ServiceSummary{Status: health.Unknown}
			}
			now := fmt.Sprint(s.Status, s.Extent)
			notes := o.next(summary(time.Now(), s, fine))
			switch {
			case len(notes) > 1:
				t.Fatalf("%d Events of one round: %v", len(notes), notes)
			case len(notes) == 1 && (now != before || notes[0].warning == announced || s.Status == health.Unknown):
				t.Fatalf("%v after %q and %q, begun %t", notes, before, now, announced)
			case len(notes) == 0 && now == before && s.Status != health.Unknown && announced != (s.Extent != ""):
				t.Fatalf("no Event after %q twice, begun %t", now, announced)
			case len(notes) == 1:
				announced = notes[0].warning
			}
			before = now
		}
	})
}

// A leader that takes over does not tell again what the status says already.
func TestOutagesGoOn(t *testing.T) {
	t.Parallel()
	down := summary(time.Now(), service(health.Unhealthy, 10, 0, "shared", "refused"), fine)
	told := newOutages(&v1alpha1.DependencyHealthStatus{})
	if told.next(down); len(told.next(down)) != 1 {
		t.Fatal("the outage was not told")
	}
	before := statusOf(down, &v1alpha1.DependencyHealthStatus{}, told.announced)
	// A leader that begins while all Pods are silent, and writes that, keeps it for the next one.
	silent := &fleet.Summary{Target: down.Target, At: time.Now(), Known: 10}
	o := newOutages(&before)
	o.next(silent)
	before = statusOf(silent, &before, o.announced)
	if s := findService(before.Services, "database"); s == nil || s.Status != "unknown" || s.Pods.Unknown != 10 || s.Extent != "" || !s.Announced {
		t.Errorf("while all are silent: %+v", s)
	}
	o = newOutages(&before)
	for range 3 {
		if notes := o.next(down); len(notes) > 0 {
			t.Errorf("told again: %v", notes)
		}
	}
	o.next(summary(time.Now(), fine, fine))
	if notes := o.next(summary(time.Now(), fine, fine)); len(notes) != 1 || notes[0].warning {
		t.Errorf("the end: %v", notes)
	}
}

// An Event fits into what the API takes, however long the names are, and two Events of one
// object are never one.
func TestEventsFit(t *testing.T) {
	t.Parallel()
	w := &writer{instance: strings.Repeat("i", 253)}
	object := &v1alpha1.DependencyHealth{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: strings.Repeat("a", 235) + "." + strings.Repeat("b", 17), UID: "u"}}
	down := service(health.Degraded, 10, 0, "pods", "refused")
	for i := range fleet.MaxNames {
		down.Names = append(down.Names, strings.Repeat("ä", 100)+strconv.Itoa(i))
	}
	at := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	seen := map[string]bool{}
	for _, n := range []pendingEvent{
		{at, "database", true, reasonUnhealthy, unhealthyMessage(&down)},
		{at, "redis", true, reasonUnhealthy, unhealthyMessage(&down)},
		{at, "database", false, reasonHealthy, "well"},
		{at.Add(time.Second), "database", true, reasonUnhealthy, unhealthyMessage(&down)},
	} {
		e := w.newEvent(object, n)
		if faults := validation.IsDNS1123Subdomain(e.Name); faults != nil || len(e.Note) > 1024 || !utf8.ValidString(e.Note) || len(e.ReportingInstance) > 128 {
			t.Errorf("%s: %v, %d bytes of note, %d of instance", e.Name, faults, len(e.Note), len(e.ReportingInstance))
		}
		if seen[e.Name] || w.newEvent(object, n).Name != e.Name {
			t.Errorf("%s is not the name of one Event", e.Name)
		}
		seen[e.Name] = true
	}
}

// An outage that spreads is told once, when it no longer does, with all that it has reached; one that
// goes on to spread is told after half a minute. Rounds that are less than an interval apart rest on
// the same answers, and do not agree with each other.
func TestOutagesSpread(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failing  func(second int) int // of ten Pods
		interval time.Duration
		want     string
		at       int
	}{
		"over 8 s":                      {func(s int) int { return min(10, 1+s) }, time.Second, "10 of 10 Pods (refused): the fault is shared", 10},
		"over 20 s in a large fleet":    {func(s int) int { return min(10, 1+s/2) }, 20 * time.Second, "10 of 10 Pods (refused): the fault is shared", 38},
		"over 36 s":                     {func(s int) int { return min(10, 1+s/4) }, 5 * time.Second, "9 of 10 Pods (refused): the fault is shared", 33},
		"at once":                       {func(int) int { return 10 }, 5 * time.Second, "10 of 10 Pods (refused): the fault is shared", 5},
		"one Pod":                       {func(int) int { return 1 }, time.Second, "1 of 10 Pods (refused): pods p", 1},
		"one Pod more, now and then":    {func(s int) int { return 2 + s%2 }, time.Second, "2 of 10 Pods (refused): pods p", 2},
		"slowly, for longer than that":  {func(s int) int { return min(5, 1+s/12) }, 15 * time.Second, "5 of 10 Pods (refused): pods p", 51},
		"a Pod that is back after 2 s":  {func(s int) int { return map[bool]int{true: 1}[s < 2] }, 5 * time.Second, "", 0},
		"while too few Pods can tell":   {func(int) int { return -1 }, time.Second, "", 0},
		"fewer Pods than at its begin":  {func(s int) int { return max(6, 10-s) }, 2 * time.Second, "8 of 10 Pods (refused): the fault is shared", 2},
		"the extent changes on the way": {func(s int) int { return 4 + 2*min(1, s/3) }, 5 * time.Second, "6 of 10 Pods (refused): the fault is shared", 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutages(&v1alpha1.DependencyHealthStatus{})
			began := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
			var all []string
			for second := range 120 {
				found := fine
				switch n := tt.failing(second); {
				case n < 0:
					found = service(health.Unknown, 2, 0, "", "refused")
				case n > 5:
					found = service(health.Unhealthy, n, 0, "shared", "refused")
				case n > 0:
					found = service(health.Degraded, n, 0, "pods", "refused", "p")
				}
				s := summary(began.Add(time.Duration(second)*time.Second), found, fine)
				s.Interval = tt.interval
				for _, n := range o.next(s) {
					all = append(all, fmt.Sprintf("%d %s", second, n.message))
				}
			}
			var want []string
			if tt.want != "" {
				want = []string{fmt.Sprintf("%d database is unhealthy for %s", tt.at, tt.want)}
			}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the Pods no longer have, or make up, is not kept.
func TestOutagesForget(t *testing.T) {
	t.Parallel()
	o := newOutages(&v1alpha1.DependencyHealthStatus{})
	for i := range 1000 {
		s := summary(time.Now(), fine, fine)
		s.Services[0].Name = fmt.Sprintf("a-%d", i)
		o.next(s)
	}
	if len(o.services) != 2 {
		t.Errorf("%d services are kept", len(o.services))
	}
}

// A status with as much as a summary can have is within what the API server takes.
func TestStatusFits(t *testing.T) {
	t.Parallel()
	down := service(health.Degraded, 10, 0, "node", "schema_behind")
	for i := range fleet.MaxNames {
		down.Names = append(down.Names, strings.Repeat("n", 640)+strconv.Itoa(i)) // longer than any name
	}
	s := summary(time.Now(), down, fine)
	s.Services = nil
	for i := range 100 {
		down.Name = fmt.Sprintf("service-%024d", i)
		s.Services = append(s.Services, down)
	}
	status := statusOf(s, &v1alpha1.DependencyHealthStatus{}, none)
	if len(status.Services) != 64 || len(status.Conditions[0].Message) > 32768 || !utf8.ValidString(status.Conditions[0].Message) {
		t.Errorf("%d services, a message of %d bytes", len(status.Services), len(status.Conditions[0].Message))
	}
}

// Why a watch fails is logged once while it lasts, and once more when it fails again later.
func TestWatchErrors(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	now := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	handle := newWatchErrors(slog.New(slog.NewTextHandler(&text, nil)), func() time.Time { return now })
	watch := func(kind any) *toolscache.Reflector {
		return toolscache.NewReflector(&toolscache.ListWatch{}, kind, toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), 0)
	}
	objects, slices := watch(&v1alpha1.DependencyHealth{}), watch(&discoveryv1.EndpointSlice{})
	forbidden := apierrors.NewForbidden(v1alpha1.GroupVersion().WithResource("dependencyhealths").GroupResource(), "", errors.New("no"))
	refused := errors.New("connection refused")
	for i, step := range []struct {
		after time.Duration
		watch *toolscache.Reflector
		err   error
		logs  bool
	}{
		{0, objects, refused, true},
		{time.Second, slices, refused, true}, // each kind of object by itself
		{time.Second, objects, refused, false},
		{time.Minute, objects, refused, false}, // client-go waits for up to half a minute
		{time.Minute, objects, refused, false},
		{time.Second, objects, forbidden, true}, // another cause
		{time.Second, objects, apierrors.NewResourceExpired("too old"), false},
		{time.Second, objects, forbidden, false},
		{time.Hour, objects, forbidden, true}, // it was well meanwhile
		{time.Second, slices, refused, true},
	} {
		now = now.Add(step.after)
		text.Reset()
		if handle(t.Context(), step.watch, step.err); (text.Len() > 0) != step.logs {
			t.Errorf("step %d: the log has %q", i, text.String())
		}
	}
}
