package fleet

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Workload identifies a workload by the namespace and the name of its DependencyHealth object.
type Workload struct{ Namespace, Name string }

// String is NAMESPACE/NAME.
func (w Workload) String() string { return w.Namespace + "/" + w.Name }

// Target has the settings of one DependencyHealth object and the Pods of its Service. It is
// immutable: each change makes a new one.
type Target struct {
	Workload   Workload
	Generation int64         // of the object
	Service    string        // the sidecars' headless Service
	Interval   time.Duration // between two rounds; longer in a large fleet. The default is 5 s.
	// CA is a bundle of PEM certificates. If it is empty, the sidecars are asked by HTTP;
	// otherwise by HTTPS, and must present a certificate for ServerName that chains to the bundle.
	CA         []byte
	ServerName string
	Pods       []Pod // sorted by UID
}

// interval returns the interval that is set, at least [minInterval].
func (t *Target) interval() time.Duration {
	return max(minInterval, cmp.Or(t.Interval, defaultInterval))
}

// Pod is one endpoint of the sidecars' Service.
type Pod struct {
	UID, Name string
	// Node and Zone are "" if the EndpointSlice has none.
	Node, Zone string
	Address    netip.AddrPort
	// Ready is the EndpointSlice's `serving` condition: the Pod's readiness, even if the Service
	// publishes not-ready addresses.
	Ready bool
}

// Answer is the result of one request to a sidecar.
type Answer struct {
	// At is when the request began; zero if the Pod has not been asked yet.
	At time.Time
	// Failure is why the request failed; "" if it succeeded.
	Failure  Failure
	Services []ServiceAnswer // in the sidecar's order
}

// ServiceAnswer is the state of one service in one sidecar's answer.
type ServiceAnswer struct {
	Name   string
	Status health.Status
	Reason health.Reason // "" if healthy or withheld; ReasonOther if this program does not know it
	Since  time.Time     // by the sidecar's clock; zero if withheld
}

// ReasonOther stands for every reason that this program does not know, such as those of newer
// sidecars.
const ReasonOther health.Reason = "other"

// Failure is why a request to a sidecar has no usable answer.
type Failure string

// The failures. The set is closed, since they are values of a metric's label.
const (
	FailureUnreachable Failure = "unreachable" // no connection, or it was closed
	FailureTimeout     Failure = "timeout"     // no complete response within the timeout
	FailureTLS         Failure = "tls"         // the handshake failed, or a certificate was refused
	FailureStatus      Failure = "status"      // the status code is neither 200 nor 503
	FailureProtocol    Failure = "protocol"    // no sidecar responds like this: a redirect, another content type, invalid JSON, too large
)

// Failures returns all failures, in the order in which pages and metrics list them.
func Failures() []Failure {
	return []Failure{FailureUnreachable, FailureTimeout, FailureTLS, FailureStatus, FailureProtocol}
}

// Extent says which Pods a fault of a service affects.
type Extent string

// The extents, from none to all.
const (
	ExtentNone   Extent = ""
	ExtentPods   Extent = "pods"   // some Pods, which share no node and no zone
	ExtentNode   Extent = "node"   // at least four of five Pods on certain nodes, and no others
	ExtentZone   Extent = "zone"   // the same for zones
	ExtentShared Extent = "shared" // more than half of the Pods that have a result
)

// Extents returns all extents except ExtentNone.
func Extents() []Extent { return []Extent{ExtentPods, ExtentNode, ExtentZone, ExtentShared} }

// MaxNames is the largest number of Pods, nodes or zones that a summary names per service.
const MaxNames = 10

// Summary is the result of one round for one workload. It is immutable.
type Summary struct {
	Target *Target
	// At is when the round ended.
	At time.Time
	// Interval is the time in which every Pod was asked once: the target's interval, or longer in a
	// large fleet. Two summaries that are closer together may use the same answers.
	Interval time.Duration
	// Known, Answering and Ready count Pods.
	Known, Answering, Ready int
	// Status is the status of the workload. The first rule that fits decides:
	//   - Unknown: fewer than half of the Pods that were asked answer.
	//   - Unhealthy: a service is unhealthy for at least half of the Pods that have a result.
	//   - Degraded: a service is degraded or unhealthy for any Pod.
	//   - Unknown: too few Pods have a result for a service, or no Pod has a service.
	//   - Healthy.
	Status health.Status
	// Services are sorted by name. If the Pods have more than 64, these are the 64 that most Pods
	// have. If no Pod answers, they are those of the previous summary, with the status unknown.
	Services []ServiceSummary
	// Failures counts the Pods that do not answer, by failure. Pods that have not been asked yet
	// are not counted.
	Failures map[Failure]int
	// Oldest is the time of the oldest answer that counts; zero if no Pod answers.
	Oldest time.Time
	// Pods has one entry per Pod of the target, in the target's order.
	Pods []PodSummary
}

// PodSummary is a Pod with its newest answer.
type PodSummary struct {
	Pod
	// Answer is the newest usable answer for three intervals, afterwards the latest failure.
	Answer Answer
	// Silent is the time of the first request since the newest usable answer that failed; zero if
	// none failed. That answer still counts for three intervals.
	Silent time.Time
}

// Answers reports whether the Pod has an answer that counts.
func (p *PodSummary) Answers() bool { return p.Answer.Failure == "" && !p.Answer.At.IsZero() }

// Service returns the state of a service in the Pod's answer. It reports false if there is none.
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

// ServiceSummary is the state of one service over all Pods.
type ServiceSummary struct {
	Name string
	// Status follows the rules of Summary.Status, for the Pods that have the service.
	Status health.Status
	// Pods counts the Pods by status. Pods that do not answer count as unknown; Pods that answer
	// and do not have the service are not counted.
	Pods map[health.Status]int
	// Reasons counts the Pods by reason. Reasons of unhealthy results come first, then the most
	// frequent.
	Reasons []ReasonCount
	// Reason is the most frequent reason among the unhealthy results or, if there are none, among
	// the degraded ones; "" if these have no reason.
	Reason health.Reason
	// Extent is ExtentNone if the status is unknown: too few Pods have a result.
	Extent Extent
	// Names has at most MaxNames of the affected Pods, nodes or zones, sorted; empty if the fault is
	// shared.
	Names []string
	// Since is when the service got this status, by this program's clock.
	Since time.Time
}

// Telling returns the number of Pods that have a result for the service.
func (s *ServiceSummary) Telling() int { return s.Pods[health.Healthy] + s.Impaired() }

// Impaired returns the number of Pods for which the service is degraded or unhealthy.
func (s *ServiceSummary) Impaired() int { return s.Pods[health.Degraded] + s.Pods[health.Unhealthy] }

// ReasonCount is the number of Pods with one reason.
type ReasonCount struct {
	Reason health.Reason
	Pods   int
}
