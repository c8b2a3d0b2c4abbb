package fleet

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Workload names the DependencyHealth object of a workload, which has the same namespace.
type Workload struct{ Namespace, Name string }

// String is NAMESPACE/NAME.
func (w Workload) String() string { return w.Namespace + "/" + w.Name }

// Target is what to ask for one workload: what its DependencyHealth object wants, and the
// Pods of its Service. It is immutable: a change makes another one.
type Target struct {
	Workload   Workload
	Generation int64         // of the object
	Service    string        // the sidecars' headless Service
	Interval   time.Duration // from one round to the next, where the fleet is small enough
	// CA is a bundle of PEM certificates. Empty, the sidecars are asked by HTTP; else by
	// HTTPS, with a certificate for ServerName that the bundle leads to.
	CA         []byte
	ServerName string
	Pods       []Pod // sorted by UID
}

// interval is what the target wants, at least [minInterval].
func (t *Target) interval() time.Duration {
	return max(minInterval, cmp.Or(t.Interval, defaultInterval))
}

// Pod is one endpoint of the sidecars' Service.
type Pod struct {
	UID, Name string
	// Node and Zone are "" where the EndpointSlice has none.
	Node, Zone string
	Address    netip.AddrPort
	// Ready is the EndpointSlice's `serving`: the Pod's readiness, also where the Service
	// publishes addresses that are not ready.
	Ready bool
}

// Answer is what one sidecar said when it was asked, or why there is none.
type Answer struct {
	// At is when it was asked; zero where it has not been asked yet.
	At time.Time
	// Failure is why there is no answer, from a closed set; "" where there is one.
	Failure  Failure
	Services []ServiceAnswer // in the sidecar's order
}

// ServiceAnswer is what one sidecar says of one service.
type ServiceAnswer struct {
	Name   string
	Status health.Status
	Reason health.Reason // "" where healthy or withheld; ReasonOther where it is not one that is known
	Since  time.Time     // by the sidecar's clock; zero where withheld
}

// ReasonOther stands for every reason that this program does not know: one of a kind or of a
// release of the sidecar that is newer.
const ReasonOther health.Reason = "other"

// Failure is why a sidecar's answer cannot be used.
type Failure string

// The failures. A closed set, since they are a label of a metric.
const (
	FailureUnreachable Failure = "unreachable" // no connection, or it ended
	FailureTimeout     Failure = "timeout"     // no whole answer in time
	FailureTLS         Failure = "tls"         // the handshake failed, or the certificate
	FailureStatus      Failure = "status"      // neither 200 nor 503
	FailureProtocol    Failure = "protocol"    // not what a sidecar answers: another content type, not JSON, too large, a redirect
)

// Failures returns all failures, in the order of references.
func Failures() []Failure {
	return []Failure{FailureUnreachable, FailureTimeout, FailureTLS, FailureStatus, FailureProtocol}
}

// Extent is how far a fault of a service reaches.
type Extent string

// The extents, from none to all.
const (
	ExtentNone   Extent = ""
	ExtentPods   Extent = "pods"   // some Pods, with nothing in common that is known
	ExtentNode   Extent = "node"   // all, or nearly all, Pods of one or several nodes, and no others
	ExtentZone   Extent = "zone"   // the same of zones
	ExtentShared Extent = "shared" // more than half of the Pods that can tell
)

// Extents returns all extents but none.
func Extents() []Extent { return []Extent{ExtentPods, ExtentNode, ExtentZone, ExtentShared} }

// MaxNames is how many names of Pods, nodes or zones a summary has at most.
const MaxNames = 10

// Summary is what a round found of one workload. It is immutable.
type Summary struct {
	Target *Target
	// At is when the round ended.
	At time.Time
	// Interval is the time in which every Pod was asked once: what the target wants, or longer in a
	// large fleet. Two summaries that are less apart may rest on the same answers.
	Interval time.Duration
	// Known, Answering and Ready count Pods.
	Known, Answering, Ready int
	// Status is the workload's: Unknown where fewer than half of the Pods that were asked
	// answer, Unhealthy where a service is unhealthy for at least half of the Pods that can
	// tell, Degraded where any Pod has a service that is degraded or unhealthy, Unknown where
	// too few Pods can tell of a service or no Pod has one, else Healthy.
	Status health.Status
	// Services are sorted by name. Where a workload's Pods name more than 64, these are the ones
	// that most Pods name. Where no Pod answers, they are those of the summary before, unknown.
	Services []ServiceSummary
	// Failures counts the Pods that do not answer, by why; not those that have not been
	// asked yet.
	Failures map[Failure]int
	// Oldest is when the Pod was asked whose answer is the oldest; zero where none answers.
	Oldest time.Time
	// Pods has one entry per Pod of the target, in the target's order.
	Pods []PodSummary
}

// PodSummary is a Pod with its newest answer.
type PodSummary struct {
	Pod
	// Answer is the newest answer that can be used, for three intervals, then the latest
	// failure.
	Answer Answer
	// Silent is from when the Pod has not answered; zero where it answers. The answer before
	// counts for three intervals all the same.
	Silent time.Time
}

// Answers reports whether there is an answer of the Pod that counts.
func (p *PodSummary) Answers() bool { return p.Answer.Failure == "" && !p.Answer.At.IsZero() }

// Service returns what the Pod says of a service. It reports false where it says nothing.
func (p *PodSummary) Service(name string) (ServiceAnswer, bool) {
	if !p.Answers() {
		return ServiceAnswer{}, false
	}
	for _, s := range p.Answer.Services {
		if s.Name == name {
			return s, true
		}
	}
	return ServiceAnswer{}, false
}

// ServiceSummary is what all Pods say of one service.
type ServiceSummary struct {
	Name string
	// Status is judged as Summary.Status is, by the Pods that have the service.
	Status health.Status
	// Pods counts the Pods by status; those that do not answer are unknown. A Pod that
	// answers and does not have the service is not counted.
	Pods map[health.Status]int
	// Reasons counts the Pods by reason: first those for which the service is unhealthy, the most
	// frequent first.
	Reasons []ReasonCount
	// Reason is the most frequent one of the Pods for which the service is unhealthy or, where it is
	// unhealthy for none, of those for which it is degraded; "" where these give none.
	Reason health.Reason
	// Extent is none where the status is unknown: too few Pods can tell.
	Extent Extent
	// Names has at most MaxNames of the Pods, nodes or zones that the fault is of, sorted;
	// empty where it is shared.
	Names []string
	// Since is from when the service has had this status, by this program's clock.
	Since time.Time
}

// Telling is how many Pods can tell how the service is: those that have a result.
func (s *ServiceSummary) Telling() int { return s.Pods[health.Healthy] + s.Impaired() }

// Impaired is how many Pods call it degraded or unhealthy.
func (s *ServiceSummary) Impaired() int { return s.Pods[health.Degraded] + s.Pods[health.Unhealthy] }

// ReasonCount is how many Pods have a reason.
type ReasonCount struct {
	Reason health.Reason
	Pods   int
}
