package check

// Role is who answers at an address, which decides what an error advises.
type Role int

// The roles.
const (
	// Sidecar is reims-health at HEALTH_ADDR, which --url gives.
	Sidecar Role = iota
	// Predecessor is the API with its health module, which --compare gives.
	Predecessor
	// Metrics is reims-health at METRICS_ADDR, which --metrics-url gives.
	Metrics
)

// roleWords are what an error says of a role.
type roleWords struct {
	whose     string // the port is
	refused   string // where nothing listens
	silent    string // where no answer comes in time
	plain     string // where TLS is not spoken
	none      string // what something else is not
	elsewhere string // where something else answers
}

func (r Role) words() roleWords {
	const dropped = "a firewall or a NetworkPolicy may drop the packets, or the process is starved of CPU"
	switch r {
	case Predecessor:
		return roleWords{
			whose:     "the API's",
			refused:   "is the API running, and is this its address? --compare gives another one",
			silent:    "the predecessor hangs with what it checks",
			plain:     "the API itself may speak plain HTTP",
			none:      "that is no health module of the API",
			elsewhere: "does --compare lead to the API, rather than to a proxy or another path?",
		}
	case Metrics:
		return roleWords{
			whose:     "the metrics'",
			refused:   "is the sidecar running (reims-health serve), and is this the address that METRICS_ADDR gives it? --metrics-url asks another one",
			silent:    "the sidecar answers from memory: " + dropped,
			plain:     "the sidecar itself speaks plain HTTP",
			none:      "those are no metrics of reims-health",
			elsewhere: "does --metrics-url lead to the metrics (METRICS_ADDR, by default port 9008)?",
		}
	default:
		return roleWords{
			whose:     "the sidecar's",
			refused:   "is the sidecar running (reims-health serve), and is this the address that HEALTH_ADDR gives it? --url asks another one",
			silent:    "the sidecar answers from memory: " + dropped,
			plain:     "the sidecar itself speaks plain HTTP",
			none:      "that is no reims-health",
			elsewhere: "does the address lead to the sidecar (HEALTH_ADDR, by default port 8008), rather than to the API, the metrics or a proxy?",
		}
	}
}
