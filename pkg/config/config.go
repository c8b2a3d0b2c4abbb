package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Config is the whole configuration. Load fills it, and it does not change later.
// [Secret.Read] reads the files of secrets each time.
//
// The tags are: env, the variable's name; help, its meaning; oneof, the words that it accepts;
// also, synonyms of those words; format, the syntax of a text; min and max, the bounds of a
// number or a duration; unless, the variables that replace this one if they are set.
type Config struct {
	Health   Health     `section:"The sidecar"`
	Peers    Peers      `section:"Peers"`
	Kube     Kube       `section:"Kubernetes"`
	Services []*Service // every service that there is, in the order of the reference
	Migrate  Migrate    `env:",prefix=MIGRATE_" section:"Migrations"`

	sources  map[string]string // by variable that is set, where its value comes from
	redactor *Redactor
	hinter   *hinter
}

// Health has the settings of the sidecar itself: its listeners, access to them, and its log.
type Health struct {
	Addr                   string        `env:"HEALTH_ADDR" format:"listen" help:"Address of the health endpoints. Port 0 takes any free port."`
	MetricsAddr            string        `env:"METRICS_ADDR" format:"listen" help:"Address of the Prometheus endpoint. The containers of a Pod share their ports, so it must be free in all of them."`
	TLSCertFile            string        `env:"HEALTH_TLS_CERT_FILE" format:"path" help:"PEM file with the certificate by which HEALTH_ADDR answers HTTPS, followed by the authorities between it and the root. Plain HTTP when empty. The file is read again when it changes, as are the other files of TLS."`
	TLSKeyFile             string        `env:"HEALTH_TLS_KEY_FILE" format:"path" help:"PEM file with its key, without a passphrase."`
	TLSClientCAFile        string        `env:"HEALTH_TLS_CLIENT_CA_FILE" format:"path" help:"Certificate authorities, in PEM, of clients. With it, only /health/live and /health/ready answer clients without a certificate of theirs: the kubelet has none. Peers then present the certificate of HEALTH_TLS_CERT_FILE, which must be good for clients, too."`
	MetricsTLSCertFile     string        `env:"METRICS_TLS_CERT_FILE" format:"path" help:"PEM file with the certificate by which METRICS_ADDR answers HTTPS. Plain HTTP when empty."`
	MetricsTLSKeyFile      string        `env:"METRICS_TLS_KEY_FILE" format:"path" help:"PEM file with its key, without a passphrase."`
	MetricsTLSClientCAFile string        `env:"METRICS_TLS_CLIENT_CA_FILE" format:"path" help:"Certificate authorities, in PEM, of scrapers. With it, a scrape needs a certificate of theirs."`
	Services               []string      `env:"HEALTH_SERVICES" format:"service" help:"The services to probe, in the order in which answers list them, 16 at most. One that is left out appears nowhere. A name beside the four of the default needs NAME_CHECK: see docs/checks.md."`
	Details                string        `env:"HEALTH_DETAILS" oneof:"full safe off" help:"What an answer tells: everything; statuses, reasons and numbers but no names, endpoints, versions or messages; or statuses alone."`
	Token                  Secret        `env:"HEALTH_TOKEN" format:"bearer" help:"With HEALTH_DETAILS=safe, callers that send it as Authorization: Bearer are shown everything."`
	Page                   Switch        `env:"HEALTH_PAGE" help:"Serve the status page for people at / of HEALTH_ADDR. It shows what HEALTH_DETAILS gives to callers without the token, and what HEALTH_PAGE_DETAILS says."`
	PageDetails            string        `env:"HEALTH_PAGE_DETAILS" oneof:"full safe off" help:"What the status page shows; what HEALTH_DETAILS says when empty. Where that is more than HEALTH_DETAILS gives, only readers at 127.0.0.1 or ::1, as by kubectl port-forward, and those with HEALTH_TOKEN are shown it."`
	DocsURL                string        `env:"HEALTH_DOCS_URL" format:"docs" help:"Where the documentation is, for the links from a reason to its section in troubleshooting.md: a copy that readers can reach, or off for no links."`
	AllowedOrigins         []string      `env:"HEALTH_ALLOWED_ORIGINS" format:"origin" help:"Origins whose pages may read the answers in a browser (CORS), such as a dashboard's, or * for all. Off when empty."`
	OverrideFile           string        `env:"HEALTH_OVERRIDE_FILE" format:"path" help:"Break-glass: while this file is there and says ready or not_ready, it decides readiness."`
	StateFile              string        `env:"HEALTH_STATE_FILE" format:"path" help:"File in which the sidecar keeps which services were proven, and since when each fails, so that a restart of its container does not forget it. Its folder must be writable and be this Pod's own, such as an emptyDir; the file counts for the Pod of POD_UID only. Off when empty."`
	CertificateWarning     time.Duration `env:"HEALTH_CERTIFICATE_WARNING" max:"8760h" help:"How long before the end of its certificate, or of one that vouches for it, a server that is asked by TLS becomes degraded; of a certificate that is valid for less than three times as long, a third of its time."`
	LogLevel               string        `env:"LOG_LEVEL" oneof:"debug info warn error" also:"warning=warn critical=error fatal=error" help:"The least level that is logged. Python's names warning and critical, and fatal, count as warn and error."`
	LogFormat              string        `env:"LOG_FORMAT" oneof:"auto json text" help:"auto is text on a terminal and JSON anywhere else."`
	Environment            string        `env:"ENVIRONMENT" oneof:"development staging production" help:"production turns TLS to the database from prefer to require."`
}

// Peers has the settings of the requests to the sidecars of the workload's other Pods, which
// tell whether a fault is shared.
type Peers struct {
	Names   []string      `env:"HEALTH_PEERS" format:"peer" help:"Where the sidecars of the workload's other Pods answer: a name that DNS resolves to all of its Pods, ready or not (a headless Service), with a port if theirs is not that of HEALTH_ADDR; or a list of two addresses or more. While a strict service is unhealthy, they are asked whether they see it too. Off when empty."`
	Sample  int           `env:"HEALTH_PEERS_SAMPLE" min:"1" max:"64" help:"How many peers are asked at once: once per second while a strict service is unhealthy, once per interval of the service while only others are."`
	Timeout time.Duration `env:"HEALTH_PEERS_TIMEOUT" max:"5s" help:"Bound on asking them."`
	CAFile  string        `env:"HEALTH_PEERS_CA_FILE" format:"path" help:"Certificate authorities, in PEM, that the peers' certificates must lead to. Peers are asked by HTTPS when it is set: required with HEALTH_TLS_CERT_FILE, and of use without that where a proxy in front of each peer answers by HTTPS."`
	PodIP   string        `env:"POD_IP" format:"address" help:"Address of this Pod, by the downward API: status.podIP. It tells this Pod from its peers, and peers of its family only are asked."`
}

// Kube has the settings of the reports to Kubernetes, and the identity of this Pod.
type Kube struct {
	PodReporting Switch `env:"HEALTH_POD_REPORTING" help:"Report on the Pod itself: a condition, and Events when a service's status changes. See docs/pod-condition.md for the rights that it needs."`
	PodName      string `env:"POD_NAME" format:"object" help:"Name of this Pod, by the downward API: metadata.name."`
	PodNamespace string `env:"POD_NAMESPACE" format:"object" help:"Its namespace: metadata.namespace."`
	PodUID       string `env:"POD_UID" format:"object" help:"Its UID: metadata.uid."`
}

// Migrate has the settings of reims-health migrate.
type Migrate struct {
	ConnectTimeout   time.Duration `env:"CONNECT_TIMEOUT" help:"For how long a server that cannot be reached, or is starting up, is tried again."`
	RetryFor         time.Duration `env:"RETRY_FOR" min:"0s" help:"For how long migrate up tries again after what may pass by itself: a server that cannot be reached, a lost connection, another run, a locked table. 0s fails at once, after MIGRATE_CONNECT_TIMEOUT."`
	Secret           string        `env:"SECRET" help:"Name of the Kubernetes Secret that the files of the database's secrets come from, for the message where one is missing."`
	LockWait         time.Duration `env:"LOCK_WAIT" min:"0s" help:"For how long another run of migrate is waited for. 0s tries once."`
	LockTimeout      time.Duration `env:"LOCK_TIMEOUT" help:"Bound on the wait for a lock on a table. Everybody else who wants that table queues behind it meanwhile."`
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT" min:"0s" help:"Bound on each statement of a migration. 0s is none."`
}

// Default returns the configuration of an empty environment for these services. It changes
// them, so each call needs its own.
func Default(services []*Service) *Config {
	c := &Config{
		Health: Health{
			Addr:               ":8008",
			MetricsAddr:        ":9008",
			Details:            "full",
			Page:               true,
			DocsURL:            "https://github.com/reims/reims-health/blob/main/docs",
			CertificateWarning: 7 * 24 * time.Hour,
			LogLevel:           "info",
			LogFormat:          "auto",
			Environment:        "development",
		},
		Peers:    Peers{Sample: 16, Timeout: time.Second},
		Services: services,
		Migrate: Migrate{
			ConnectTimeout: 30 * time.Second, LockWait: 2 * time.Minute,
			LockTimeout: 5 * time.Second, StatementTimeout: 10 * time.Minute,
		},
		redactor: new(Redactor),
		hinter:   newHinter(),
	}
	c.Health.Services = c.serviceNames()
	for _, v := range variables(c) {
		v.bindSecret(c)
	}
	return c
}

// Level returns the least level that is logged.
func (h Health) Level() slog.Level {
	switch h.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// Docs returns HEALTH_DOCS_URL, and "" where it is off.
func (h Health) Docs() string {
	if h.DocsURL == "off" {
		return ""
	}
	return h.DocsURL
}

// PageShown returns the level of details that the status page shows to all readers, and the
// level for readers at a loopback address or with the token.
func (h Health) PageShown() (all, operators string) {
	levels := []string{"off", "safe", "full"}
	switch {
	case h.PageDetails == "":
		return h.Details, h.Details
	case slices.Index(levels, h.PageDetails) > slices.Index(levels, h.Details):
		return h.Details, h.PageDetails
	}
	return h.PageDetails, h.PageDetails
}

// LogJSON reports whether to log JSON rather than text. Terminal says whether the log goes
// to a terminal.
func (h Health) LogJSON(terminal bool) bool {
	return h.LogFormat == "json" || h.LogFormat == "auto" && !terminal
}

// JoinHostPort returns host:port, or the host alone if the port is empty. An IPv6 address
// is put in brackets in both cases.
func JoinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}

// Definition returns a digest of the settings that define what is checked for a service
// and what it means for readiness, such as the server, the database and the required
// names. The interval, the thresholds, passwords and graces are left out. Facts are
// additional values of the kind. The digest differs between Pods, and is made without
// secrets.
func (c *Config) Definition(service string, facts ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q\n", c.Kube.PodUID, facts)
	s, err := c.Service(service)
	if err != nil { // an unknown service: its name equals no digest
		return service
	}
	for _, v := range variables(c) {
		name := strings.TrimPrefix(v.Name, s.Prefix())
		if v.prefix != s.Prefix() || v.Secret || strings.HasPrefix(name, "PROBE_") || name == "READINESS_GRACE" || name == "SHARED_FAULT" {
			continue
		}
		fmt.Fprintf(h, "%q %q\n", name, v.public())
	}
	for _, d := range s.effective(c.Health.Environment) {
		fmt.Fprintf(h, "%q %q\n", d[0], d[1])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
