package health

import "slices"

// Reason says why a service is not healthy, or what else decides readiness. The set is
// closed: it is the reasons below and those that the service's [Kind] declares, and
// [Result.Next] lets no other one in.
type Reason string

// The reasons that faults of every kind of service can have.
const (
	DNS         Reason = "dns"         // the host name could not be resolved
	Refused     Reason = "refused"     // nothing listens at the address
	Unreachable Reason = "unreachable" // there is no route to the host
	Reset       Reason = "reset"       // the connection was closed in the middle
	Timeout     Reason = "timeout"     // no answer in time
	TLS         Reason = "tls"         // handshake, certificate, or TLS not offered
	Protocol    Reason = "protocol"    // an answer that such a server does not give
	Error       Reason = "error"       // anything else

	StartingUp      Reason = "starting_up"      // the server is loading and will be there soon
	DatabaseMissing Reason = "database_missing" // the server has no database of that name
	ReadOnly        Reason = "read_only"        // a standby, a replica, or set read-only
	Stale           Reason = "stale"            // no result for too long

	Auth               Reason = "auth"                 // the login was refused
	Forbidden          Reason = "forbidden"            // the login lacks a right
	TooManyConnections Reason = "too_many_connections" // the server has no free slot
	PoolExhausted      Reason = "pool_exhausted"       // our own pool has no free slot
	ClockSkew          Reason = "clock_skew"           // our clock and the server's differ too much
	Panic              Reason = "panic"                // the check itself crashed

	Slow       Reason = "slow"       // answered, later than the degraded latency
	Overloaded Reason = "overloaded" // the server asks for fewer requests
	DiskFull   Reason = "disk_full"  // storage is full
)

// The reasons that no fault has.
const (
	NoResult       Reason = "no_result" // the service is unknown
	ReasonOverride Reason = "override"  // an override decides readiness
	ReasonShutdown Reason = "shutdown"  // the process is about to exit: not ready
)

// Severity is what a fault means for the verdict.
type Severity uint8

const (
	// Inherit is the zero value: the severity that the fault's reason has.
	Inherit Severity = iota
	// Down makes the service unhealthy.
	Down
	// Suspect means that the server answers and the fault may be the sidecar's
	// alone: unhealthy until the service was proven, degraded from then on.
	Suspect
	// Impaired makes the service degraded. It is usable, so it counts as proven.
	Impaired
	// Unproven makes the service degraded and does not prove it.
	Unproven
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
	{DNS, Down, "the host name could not be resolved"},
	{Refused, Down, "the connection was refused: nothing listens at that address"},
	{Unreachable, Down, "there is no route to the host"},
	{Reset, Down, "the server closed the connection in the middle"},
	{Timeout, Down, "no answer within the probe's timeout"},
	{TLS, Down, "TLS failed: a handshake, a certificate, or TLS that is not offered"},
	{Protocol, Down, "the answer is not one that such a server gives"},
	{Error, Down, "the check failed; the sidecar's log has the details"},
	{StartingUp, Down, "the server is starting up"},
	{DatabaseMissing, Down, "the server has no database of that name"},
	{ReadOnly, Down, "the server accepts no writes: a standby, a replica, or set read-only"},
	{Stale, Down, "no result for too long: this sidecar's scheduler is late"},
	{Auth, Suspect, "the login was refused"},
	{Forbidden, Suspect, "the login lacks a right that the check needs"},
	{TooManyConnections, Suspect, "the server has no free connection slot"},
	{PoolExhausted, Suspect, "every connection of the sidecar's own pool is in use"},
	{ClockSkew, Suspect, "this machine's clock and the server's differ too much"},
	{Panic, Suspect, "the check crashed: a bug in the sidecar; its log has the details"},
	{Slow, Impaired, "the answer took longer than the degraded latency"},
	{Overloaded, Impaired, "the server asks for fewer requests"},
	{DiskFull, Impaired, "storage is full"},
	{NoResult, Down, "no result yet"},
	{ReasonOverride, Down, "the break-glass decides"},
	{ReasonShutdown, Down, "the sidecar is shutting down"},
}

// Reasons returns the reason of every fault that services of these kinds can have: those
// of every kind, and then those that each declares. They are metric labels, and
// docs/troubleshooting.md has a section on each. [NoResult], [ReasonOverride] and
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
func (r Reason) ofFault() bool { return r != NoResult && r != ReasonOverride && r != ReasonShutdown }

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
	return ReasonText{Reason: r, Severity: Down, Message: string(r)}, false
}
