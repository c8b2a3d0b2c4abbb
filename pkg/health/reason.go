package health

import (
	"slices"
)

// Reason says why a service is not healthy, or what else decides readiness. The set is
// closed: it has the reasons below and those of the service's [Kind]. [Result.Next]
// replaces any other by [ReasonError].
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

// The reasons that a fault cannot have.
const (
	ReasonNoResult Reason = "no_result" // the service is unknown
	ReasonOverride Reason = "override"  // an override decides readiness
	ReasonShutdown Reason = "shutdown"  // the process is about to exit: not ready
)

// Severity is what a fault means for the verdict.
type Severity uint8

const (
	// SeverityInherit is the zero value: the fault has the severity of its reason.
	SeverityInherit Severity = iota
	// SeverityDown makes the service unhealthy.
	SeverityDown
	// SeveritySuspect means that the server answers and only the sidecar may have the
	// fault. The service is unhealthy before it was proven, and degraded afterwards.
	SeveritySuspect
	// SeverityImpaired makes the service degraded. It is usable, so it counts as proven.
	SeverityImpaired
	// SeverityUnproven makes the service degraded, and it does not count as proven.
	SeverityUnproven
)

// ReasonText says what a reason means.
type ReasonText struct {
	Reason Reason
	// Severity is the default severity of a fault with this reason.
	Severity Severity
	// Message is the reason as people read it.
	Message string
	// Next is a sentence with the next step. {NAME} in it stands for the variable of the
	// service that has this name after its prefix. Empty: there is nothing to do.
	Next string
}

// reasons are those of every kind. The severity of a reason that a fault cannot have has no
// meaning.
var reasons = []ReasonText{
	{ReasonDNS, SeverityDown, "the host name could not be resolved", "Look the host's name up from this Pod: a short name resolves only within its own namespace."},
	{ReasonRefused, SeverityDown, "the connection was refused: nothing listens at that address", "Check that the server runs, and that it listens on this address and port."},
	{ReasonUnreachable, SeverityDown, "there is no route to the host", "Check the network and the routes of this Pod's node."},
	{ReasonReset, SeverityDown, "the server closed the connection in the middle", "Look in the server's log for a restart or a crash, then at proxies and policies in between."},
	{ReasonTimeout, SeverityDown, "no answer within the probe's timeout", "Check whether the server is frozen or overloaded; if not, whether a NetworkPolicy or a firewall drops its packets."},
	{ReasonTLS, SeverityDown, "TLS failed: a handshake, a certificate, or TLS that is not offered", "Check that both sides use TLS, and which authority and which name the server's certificate has."},
	{ReasonProtocol, SeverityDown, "the answer is not one that such a server gives", "Check what answers at this address: another server, or a proxy that does not reach the server."},
	{ReasonError, SeverityDown, "the check failed; the sidecar's log has the details", "Read the error in the sidecar's log."},
	{ReasonStartingUp, SeverityDown, "the server is starting up", "Wait until the server has started; its log tells how far it is."},
	{ReasonDatabaseMissing, SeverityDown, "the server has no database of that name", "Create the database on the server, or correct its name."},
	{ReasonReadOnly, SeverityDown, "the server accepts no writes: a standby, a replica, or set read-only", "Check that the address leads to the server that accepts writes."},
	{ReasonStale, SeverityDown, "no result for too long: this sidecar's scheduler is late", "Check whether this Pod gets enough CPU."},
	{ReasonAuth, SeveritySuspect, "the login was refused", "Check the user and the password, and whether the password was changed."},
	{ReasonForbidden, SeveritySuspect, "the login lacks a right that the check needs", "Grant the login the right that the sidecar's log names."},
	{ReasonTooManyConnections, SeveritySuspect, "the server has no free connection slot", "Find out who holds the server's connections, or raise its limit."},
	{ReasonPoolExhausted, SeveritySuspect, "every connection of the sidecar's own pool is in use", "Check whether the server is frozen: earlier checks have not come back."},
	{ReasonClockSkew, SeveritySuspect, "this machine's clock and the server's differ too much", "Correct the clock of this node or of the server."},
	{ReasonPanic, SeveritySuspect, "the check crashed: a bug in the sidecar; its log has the details", "Report the stack in the sidecar's log as a bug."},
	{ReasonSlow, SeverityImpaired, "the answer took longer than the degraded latency", "Look at the load of the server and at the network; {PROBE_DEGRADED_LATENCY} is the limit."},
	{ReasonOverloaded, SeverityImpaired, "the server asks for fewer requests", "Look at the load of the server."},
	{ReasonDiskFull, SeverityImpaired, "storage is full", "Free storage on the server, or add some."},
	{ReasonCertificateExpiring, SeverityImpaired, "a certificate of the server ends soon", "Renew the certificate, and let the server load it."},
	{ReasonCertificateExpired, SeverityDown, "a certificate of the server has ended", "Renew the certificate, and let the server load it."},
	{ReasonNoResult, SeverityDown, "no result yet", ""},
	{ReasonOverride, SeverityDown, "the break-glass decides", "Remove the file that HEALTH_OVERRIDE_FILE names to end it."},
	{ReasonShutdown, SeverityDown, "the sidecar is shutting down", ""},
}

// Reasons returns the reasons of all faults that services of these kinds can have: the
// common ones, and then those that each kind declares. They are metric labels, and
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

// NextStep returns the next step for the reason, with the names of the service's
// variables; empty if there is none.
func (s *Service) NextStep(r Reason) string {
	text, known := s.Kind.Explain(r)
	if s.Kind != nil && s.Kind.Next[r] != "" {
		text.Next = s.Kind.Next[r]
	}
	if !known || s.Words == nil {
		return text.Next
	}
	return s.Words(text.Next)
}

// Docs returns the URL of the documentation of the reason. It is empty if there is none, as
// for a reason of a kind that is not [Kind.Documented], or for an unknown reason.
func (s *Service) Docs(r Reason) string {
	if s.DocsURL == "" || !r.ofFault() || !s.Kind.documents(r) {
		return ""
	}
	return s.DocsURL + "/troubleshooting.md#" + string(r)
}

// documents reports whether docs/troubleshooting.md has a section on the reason. The kind may
// be nil.
func (k *Kind) documents(r Reason) bool {
	of := func(text ReasonText) bool { return text.Reason == r }
	return slices.ContainsFunc(reasons, of) || k != nil && k.Documented && slices.ContainsFunc(k.Reasons, of)
}

// ofFault reports whether a fault can have the reason, provided that it is declared.
func (r Reason) ofFault() bool {
	return r != ReasonNoResult && r != ReasonOverride && r != ReasonShutdown
}

// Explain returns the text of a reason for services of the kind, which may be nil. It
// reports false for an unknown reason.
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

// Status is the verdict on one service or on all of them. A greater one is worse.
type Status uint8

// The statuses. The zero value is Unknown: there is no result yet.
const (
	Unknown Status = iota
	Healthy
	Degraded
	Unhealthy
)

var statusNames = [...]string{"unknown", "healthy", "degraded", "unhealthy"}

// Statuses returns every status, for readers that show all of them, such as a gauge with
// one sample per status.
func Statuses() []Status { return []Status{Unknown, Healthy, Degraded, Unhealthy} }

// String returns the name that HTTP bodies and metric labels use.
func (s Status) String() string { return statusNames[s] }
