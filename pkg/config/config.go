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
	Addr                   string        `env:"HEALTH_ADDR" format:"listen" help:"Address of the health endpoints. Port 0 is any free port."`
	MetricsAddr            string        `env:"METRICS_ADDR" format:"listen" help:"Address of the Prometheus endpoint. The containers of a Pod share their ports, so it must be free in all of them."`
	TLSCertFile            string        `env:"HEALTH_TLS_CERT_FILE" format:"path" help:"PEM file with the certificate for HTTPS on HEALTH_ADDR, followed by its intermediate certificates. Plain HTTP when empty. This file and the other TLS files are read again when they change."`
	TLSKeyFile             string        `env:"HEALTH_TLS_KEY_FILE" format:"path" help:"PEM file with that certificate's key, without a passphrase."`
	TLSClientCAFile        string        `env:"HEALTH_TLS_CLIENT_CA_FILE" format:"path" help:"PEM file with the authorities of client certificates. When set, clients need such a certificate, except for /health/live and /health/ready, since the kubelet has none. Peers then present the certificate of HEALTH_TLS_CERT_FILE, which must also be valid as a client certificate."`
	MetricsTLSCertFile     string        `env:"METRICS_TLS_CERT_FILE" format:"path" help:"PEM file with the certificate for HTTPS on METRICS_ADDR. Plain HTTP when empty."`
	MetricsTLSKeyFile      string        `env:"METRICS_TLS_KEY_FILE" format:"path" help:"PEM file with that certificate's key, without a passphrase."`
	MetricsTLSClientCAFile string        `env:"METRICS_TLS_CLIENT_CA_FILE" format:"path" help:"PEM file with the authorities of scrapers' certificates. When set, a scrape needs such a certificate."`
	Services               []string      `env:"HEALTH_SERVICES" format:"service" help:"The services to check, at most 16, in the order in which responses list them. Other services appear nowhere. A name that is not one of the four defaults needs NAME_CHECK: see docs/checks.md."`
	Details                string        `env:"HEALTH_DETAILS" oneof:"full safe off" help:"What responses contain. full: everything. safe: statuses, reasons and numbers, but no names, endpoints, versions or messages. off: only statuses."`
	Token                  Secret        `env:"HEALTH_TOKEN" format:"bearer" help:"With HEALTH_DETAILS=safe, clients that send this token as Authorization: Bearer get everything."`
	Page                   Switch        `env:"HEALTH_PAGE" help:"Serve the status page at / on HEALTH_ADDR. It shows what HEALTH_DETAILS and HEALTH_PAGE_DETAILS allow."`
	PageDetails            string        `env:"HEALTH_PAGE_DETAILS" oneof:"full safe off" help:"What the status page shows; as HEALTH_DETAILS when empty. If it is more than HEALTH_DETAILS, it applies only to readers on 127.0.0.1 or ::1, such as through kubectl port-forward, and to those with HEALTH_TOKEN."`
	DocsURL                string        `env:"HEALTH_DOCS_URL" format:"docs" help:"Address of the documentation, for links from a reason to its section in troubleshooting.md. Set it to a copy that your readers can reach, or to off for no links."`
	AllowedOrigins         []string      `env:"HEALTH_ALLOWED_ORIGINS" format:"origin" help:"Origins whose web pages may read responses in a browser (CORS), such as a dashboard's, or * for all. Off when empty."`
	OverrideFile           string        `env:"HEALTH_OVERRIDE_FILE" format:"path" help:"Override for emergencies: while this file exists and contains ready or not_ready, it decides readiness."`
	StateFile              string        `env:"HEALTH_STATE_FILE" format:"path" help:"File in which the sidecar keeps which services are proven (were usable once), and since when each fails, so that this survives a restart of its container. Its folder must be writable and belong to this Pod only, such as an emptyDir; a file of another POD_UID is ignored. Off when empty."`
	CertificateWarning     time.Duration `env:"HEALTH_CERTIFICATE_WARNING" max:"8760h" help:"How long before a certificate in its chain expires a TLS server becomes degraded. If a third of the certificate's lifetime is less, that applies instead."`
	LogLevel               string        `env:"LOG_LEVEL" oneof:"debug info warn error" also:"warning=warn critical=error fatal=error" help:"Lowest level that is logged. warning means warn; critical and fatal mean error."`
	LogFormat              string        `env:"LOG_FORMAT" oneof:"auto json text" help:"auto is text on a terminal and JSON otherwise."`
	Environment            string        `env:"ENVIRONMENT" oneof:"development staging production" help:"production changes the default of TLS to PostgreSQL from prefer to require."`
}

// Peers has the settings of the requests to the sidecars of the workload's other Pods, which
// tell whether a fault is shared.
type Peers struct {
	Names   []string      `env:"HEALTH_PEERS" format:"peer" help:"Address of the sidecars in the workload's other Pods (its peers): a name that DNS resolves to all of its Pods, ready or not (a headless Service), with a port if it differs from that of HEALTH_ADDR; or a list of two or more addresses. While a service is unhealthy, the sidecar asks its peers whether they see that too. Off when empty."`
	Sample  int           `env:"HEALTH_PEERS_SAMPLE" min:"1" max:"64" help:"How many peers the sidecar asks per round. There is one round per second while a strict service is unhealthy, and one per interval of the service while only other services are."`
	Timeout time.Duration `env:"HEALTH_PEERS_TIMEOUT" max:"5s" help:"Timeout of a round of questions to the peers."`
	CAFile  string        `env:"HEALTH_PEERS_CA_FILE" format:"path" help:"PEM file with the authorities of the peers' certificates. When set, peers are asked by HTTPS. Required with HEALTH_TLS_CERT_FILE; otherwise only useful with an HTTPS proxy in front of each peer."`
	PodIP   string        `env:"POD_IP" format:"address" help:"Address of this Pod, from the downward API (status.podIP). The sidecar excludes it from its peers, and asks only peers of the same address family."`
}

// Kube has the settings of the reports to Kubernetes, and the identity of this Pod.
type Kube struct {
	PodReporting Switch `env:"HEALTH_POD_REPORTING" help:"Write a condition of the Pod, and Events when a service's status changes. See docs/pod-condition.md for the rights that it needs."`
	PodName      string `env:"POD_NAME" format:"object" help:"Name of this Pod, from the downward API (metadata.name)."`
	PodNamespace string `env:"POD_NAMESPACE" format:"object" help:"Its namespace (metadata.namespace)."`
	PodUID       string `env:"POD_UID" format:"object" help:"Its UID (metadata.uid)."`
}

// Migrate has the settings of reims-health migrate.
type Migrate struct {
	ConnectTimeout   time.Duration `env:"CONNECT_TIMEOUT" help:"How long to retry a server that cannot be reached or is starting up."`
	RetryFor         time.Duration `env:"RETRY_FOR" min:"0s" help:"How long migrate up retries after a fault that may be temporary: a server that cannot be reached, a lost connection, another run, a locked table. 0s means no retry after MIGRATE_CONNECT_TIMEOUT."`
	Secret           string        `env:"SECRET" help:"Name of the Kubernetes Secret with the files of the database's secrets. Used in the error about a missing file."`
	LockWait         time.Duration `env:"LOCK_WAIT" min:"0s" help:"How long to wait for another run of migrate. 0s tries once."`
	LockTimeout      time.Duration `env:"LOCK_TIMEOUT" help:"Longest wait for a lock on a table. Other sessions that need the table queue behind this wait."`
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT" min:"0s" help:"Timeout of each statement of a migration. 0s is none."`
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
