package health

import "slices"

// Reason says why a service is not healthy, or what else decides readiness. The set is
// closed: [Result.Next] lets no other reason in.
type Reason string

// The reasons of faults, in the order of the contract.
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
	Quorum          Reason = "quorum"           // too few of the server's drives are there

	Auth               Reason = "auth"                 // the login was refused
	Forbidden          Reason = "forbidden"            // the login lacks a right
	TooManyConnections Reason = "too_many_connections" // the server has no free slot
	PoolExhausted      Reason = "pool_exhausted"       // our own pool has no free slot
	ClockSkew          Reason = "clock_skew"           // our clock and the server's differ too much
	Panic              Reason = "panic"                // the check itself crashed

	Slow        Reason = "slow"          // answered, later than the degraded latency
	Overloaded  Reason = "overloaded"    // the server asks for fewer requests
	OutOfMemory Reason = "out_of_memory" // memory is full and nothing may be evicted
	DiskFull    Reason = "disk_full"     // storage is full

	SchemaBehind  Reason = "schema_behind"  // the schema is older than this release needs, or unreadable
	BucketMissing Reason = "bucket_missing" // a bucket that must exist does not
	ModelMissing  Reason = "model_missing"  // a model that must be there is not
	Inference     Reason = "inference"      // the model is loaded and does not answer
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

type reasonInfo struct {
	reason   Reason
	severity Severity
	message  string
}

// reasons is the contract's table. The severity of a reason that no fault has means
// nothing.
var reasons = []reasonInfo{
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
	{Quorum, Down, "the server has lost too many of its drives"},
	{Auth, Suspect, "the login was refused"},
	{Forbidden, Suspect, "the login lacks a right that the check needs"},
	{TooManyConnections, Suspect, "the server has no free connection slot"},
	{PoolExhausted, Suspect, "every connection of the sidecar's own pool is in use"},
	{ClockSkew, Suspect, "this machine's clock and the server's differ too much"},
	{Panic, Suspect, "the check crashed: a bug in the sidecar; its log has the details"},
	{Slow, Impaired, "the answer took longer than the degraded latency"},
	{Overloaded, Impaired, "the server asks for fewer requests"},
	{OutOfMemory, Impaired, "memory is full and nothing may be evicted"},
	{DiskFull, Impaired, "storage is full"},
	{SchemaBehind, Unproven, "the database's schema is older than this release needs, or cannot be read"},
	{BucketMissing, Impaired, "a bucket that must exist does not"},
	{ModelMissing, Impaired, "a model that must be there is not"},
	{Inference, Impaired, "the model is loaded and does not answer"},
	{NoResult, Down, "no result yet"},
	{ReasonOverride, Down, "the break-glass decides"},
	{ReasonShutdown, Down, "the sidecar is shutting down"},
}

// Reasons returns the reason of every fault, in the contract's order: what a degraded or
// unhealthy service can show. They are metric labels, and docs/troubleshooting.md has a
// section on each. [NoResult], [ReasonOverride] and [ReasonShutdown] are not among them.
func Reasons() []Reason {
	var all []Reason
	for _, r := range reasons {
		if r.reason.ofFault() {
			all = append(all, r.reason)
		}
	}
	return all
}

// ofFault reports whether the reason is one of [Reasons].
func (r Reason) ofFault() bool {
	switch r {
	case NoResult, ReasonOverride, ReasonShutdown:
		return false
	default:
		return slices.ContainsFunc(reasons, func(i reasonInfo) bool { return i.reason == r })
	}
}

// Message returns the reason in plain words.
func (r Reason) Message() string { return r.info().message }

// Severity returns what a fault of this reason means for the verdict.
func (r Reason) Severity() Severity { return r.info().severity }

func (r Reason) info() reasonInfo {
	for _, i := range reasons {
		if i.reason == r {
			return i
		}
	}
	return reasonInfo{reason: r, severity: Down, message: string(r)}
}
