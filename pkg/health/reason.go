package health

import (
	"slices"
)

// Reason says why a service is not healthy, or what else decides readiness. The set is
// closed: it is the reasons below and those that the service's [Kind] declares, and
// [Result.Next] lets no other one in.
type Reason string

// The reasons that faults of every kind of service can have.
const (
	ReasonDNS         Reason = "dns"         // the host name could not be resolved
	ReasonRefused     Reason = "refused"     // nothing listens at the address
	ReasonUnreachable Reason = "unreachable" // there is no route to the host
	ReasonReset       Reason = "reset"       // the connection was closed in the middle
	ReasonTimeout     Reason = "timeout"     // no answer in time
	ReasonTLS         Reason = "tls"         // handshake, certificate, or TLS not offered
	ReasonProtocol    Reason = "protocol"    // an answer that such a server does not give
	ReasonError       Reason = "error"       // anything else

	ReasonStartingUp      Reason = "starting_up"      // the server is loading and will be there soon
	ReasonDatabaseMissing Reason = "database_missing" // the server has no database of that name
	ReasonReadOnly        Reason = "read_only"        // a standby, a replica, or set read-only
	ReasonStale           Reason = "stale"            // no result for too long

	ReasonAuth               Reason = "auth"                 // the login was refused
	ReasonForbidden          Reason = "forbidden"            // the login lacks a right
	ReasonTooManyConnections Reason = "too_many_connections" // the server has no free slot
	ReasonPoolExhausted      Reason = "pool_exhausted"       // our own pool has no free slot
	ReasonClockSkew          Reason = "clock_skew"           // our clock and the server's differ too much
	ReasonPanic              Reason = "panic"                // the check itself crashed

	ReasonSlow       Reason = "slow"       // answered, later than the degraded latency
	ReasonOverloaded Reason = "overloaded" // the server asks for fewer requests
	ReasonDiskFull   Reason = "disk_full"  // storage is full

	ReasonCertificateExpiring Reason = "certificate_expiring" // a certificate of the server ends soon; only where nothing else is wrong
	ReasonCertificateExpired  Reason = "certificate_expired"  // a certificate of the server has ended, and was refused
)

// The reasons that no fault has.
const (
	ReasonNoResult Reason = "no_result" // the service is unknown
	ReasonOverride Reason = "override"  // an override decides readiness
	ReasonShutdown Reason = "shutdown"  // the process is about to exit: not ready
)

// Severity is what a fault means for the verdict.
type Severity uint8

const (
	// SeverityInherit is the zero value: the severity that the fault's reason has.
	SeverityInherit Severity = iota
	// SeverityDown makes the service unhealthy.
	SeverityDown
	// SeveritySuspect means that the server answers and the fault may be the sidecar's
	// alone: unhealthy until the service was proven, degraded from then on.
	SeveritySuspect
	// SeverityImpaired makes the service degraded. It is usable, so it counts as proven.
	SeverityImpaired
	// SeverityUnproven makes the service degraded and does not prove it.
	SeverityUnproven
)

// ReasonText says what a reason means.
type ReasonText struct {
	Reason Reason
	// Severity is what a fault of this reason means for the verdict.
	Severity Severity
	// Message is the reason in plain words.
	Message string
}

// reasons are those of every kind. The severity of a reason that no fault has means
// nothing.
var reasons = []ReasonText{
	{ReasonDNS, SeverityDown, "the host name could not be resolved"},
	{ReasonRefused, SeverityDown, "the connection was refused: nothing listens at that address"},
	{ReasonUnreachable, SeverityDown, "there is no route to the host"},
	{ReasonReset, SeverityDown, "the server closed the connection in the middle"},
	{ReasonTimeout, SeverityDown, "no answer within the probe's timeout"},
	{ReasonTLS, SeverityDown, "TLS failed: a handshake, a certificate, or TLS that is not offered"},
	{ReasonProtocol, SeverityDown, "the answer is not one that such a server gives"},
	{ReasonError, SeverityDown, "the check failed; the sidecar's log has the details"},
	{ReasonStartingUp, SeverityDown, "the server is starting up"},
	{ReasonDatabaseMissing, SeverityDown, "the server has no database of that name"},
	{ReasonReadOnly, SeverityDown, "the server accepts no writes: a standby, a replica, or set read-only"},
	{ReasonStale, SeverityDown, "no result for too long: this sidecar's scheduler is late"},
	{ReasonAuth, SeveritySuspect, "the login was refused"},
	{ReasonForbidden, SeveritySuspect, "the login lacks a right that the check needs"},
	{ReasonTooManyConnections, SeveritySuspect, "the server has no free connection slot"},
	{ReasonPoolExhausted, SeveritySuspect, "every connection of the sidecar's own pool is in use"},
	{ReasonClockSkew, SeveritySuspect, "this machine's clock and the server's differ too much"},
	{ReasonPanic, SeveritySuspect, "the check crashed: a bug in the sidecar; its log has the details"},
	{ReasonSlow, SeverityImpaired, "the answer took longer than the degraded latency"},
	{ReasonOverloaded, SeverityImpaired, "the server asks for fewer requests"},
	{ReasonDiskFull, SeverityImpaired, "storage is full"},
	{ReasonCertificateExpiring, SeverityImpaired, "a certificate of the server ends soon"},
	{ReasonCertificateExpired, SeverityDown, "a certificate of the server has ended"},
	{ReasonNoResult, SeverityDown, "no result yet"},
	{ReasonOverride, SeverityDown, "the break-glass decides"},
	{ReasonShutdown, SeverityDown, "the sidecar is shutting down"},
}

// Reasons returns the reason of every fault that services of these kinds can have: those
// of every kind, and then those that each declares. They are metric labels, and
// docs/troubleshooting.md has a section on each. [ReasonNoResult], [ReasonOverride] and
// [ReasonShutdown] are not among them.
func Reasons(kinds ...*Kind) []Reason {
	var all []Reason
	for _, r := range reasons {
		if r.Reason.ofFault() {
			all = append(all, r.Reason)
		}
	}
	for _, k := range kinds {
		if k == nil {
			continue
		}
		for _, r := range k.Reasons {
			if !slices.Contains(all, r.Reason) {
				all = append(all, r.Reason)
			}
		}
	}
	return all
}

// ofFault reports whether a fault may have the reason, if it is declared.
func (r Reason) ofFault() bool {
	return r != ReasonNoResult && r != ReasonOverride && r != ReasonShutdown
}

// Explain returns what a reason means for services of the kind, which may be nil. It
// reports false for a reason that is not in the set.
func (k *Kind) Explain(r Reason) (ReasonText, bool) {
	if k != nil {
		for _, text := range k.Reasons {
			if text.Reason == r {
				return text, true
			}
		}
	}
	for _, text := range reasons {
		if text.Reason == r {
			return text, true
		}
	}
	return ReasonText{Reason: r, Severity: SeverityDown, Message: string(r)}, false
}

// Status is a verdict, on one service or on all of them. Verdicts are ordered:
// a greater one is worse.
type Status uint8

// The verdicts. The zero value is Unknown: nothing has been seen yet.
const (
	Unknown Status = iota
	Healthy
	Degraded
	Unhealthy
)

var statusNames = [...]string{"unknown", "healthy", "degraded", "unhealthy"}

// Statuses returns every verdict, for readers that show all of them, such as a
// one-hot gauge.
func Statuses() []Status { return []Status{Unknown, Healthy, Degraded, Unhealthy} }

// String returns the name that HTTP bodies and metric labels use.
func (s Status) String() string { return statusNames[s] }
