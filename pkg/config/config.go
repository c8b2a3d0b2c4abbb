package config

import "time"

// Config is the whole configuration. Load fills it; nothing changes it later,
// and the files that its secrets name are read again by [Secret.Read].
//
// The tags: env is the variable's name, help its meaning, oneof the words that it
// accepts, format one of formats, min and max the bounds of a number or a duration.
type Config struct {
	Health   Health   `section:"The sidecar"`
	Kube     Kube     `section:"Kubernetes"`
	Database Database `env:",prefix=DATABASE_" section:"PostgreSQL"`
	Redis    Redis    `env:",prefix=REDIS_" section:"Redis"`
	MinIO    MinIO    `env:",prefix=MINIO_" section:"MinIO"`
	Ollama   Ollama   `env:",prefix=OLLAMA_" section:"Ollama"`
	Migrate  Migrate  `env:",prefix=MIGRATE_" section:"Migrations"`

	sources  map[string]string // where a variable that is set comes from
	redactor *Redactor
	hinter   *hinter
}

// Health is about the sidecar itself: what it serves, to whom, and its log.
type Health struct {
	Addr           string   `env:"HEALTH_ADDR" format:"listen" help:"Address of the health endpoints. Port 0 takes any free port."`
	MetricsAddr    string   `env:"METRICS_ADDR" format:"listen" help:"Address of the Prometheus endpoint. The containers of a Pod share their ports, so it must be free in all of them."`
	Services       []string `env:"HEALTH_SERVICES" oneof:"database redis minio ollama" help:"The services to probe, in the order in which answers list them. One that is left out appears nowhere."`
	Details        string   `env:"HEALTH_DETAILS" oneof:"full safe off" help:"What an answer tells: everything; statuses, reasons and numbers but no names, endpoints, versions or messages; or statuses alone."`
	Token          Secret   `env:"HEALTH_TOKEN" format:"bearer" help:"With HEALTH_DETAILS=safe, callers that send it as Authorization: Bearer are shown everything."`
	Page           Switch   `env:"HEALTH_PAGE" help:"Serve the status page for people at / of HEALTH_ADDR. It shows what HEALTH_DETAILS gives to callers without the token."`
	AllowedOrigins []string `env:"HEALTH_ALLOWED_ORIGINS" format:"origin" help:"Origins whose pages may read the answers in a browser (CORS), such as a dashboard's, or * for all. Off when empty."`
	OverrideFile   string   `env:"HEALTH_OVERRIDE_FILE" format:"path" help:"Break-glass: while this file is there and says ready or not_ready, it decides readiness."`
	StateFile      string   `env:"HEALTH_STATE_FILE" format:"path" help:"File in which the sidecar keeps which services were proven, and since when each fails, so that a restart of its container does not forget it. Its folder must be writable and be this Pod's own, such as an emptyDir; the file counts for the Pod of POD_UID only. Off when empty."`
	LogLevel       string   `env:"LOG_LEVEL" oneof:"debug info warn error" help:"The least level that is logged."`
	LogFormat      string   `env:"LOG_FORMAT" oneof:"auto json text" help:"auto is text on a terminal and JSON anywhere else."`
	Environment    string   `env:"ENVIRONMENT" oneof:"development staging production" help:"production turns TLS to the database from prefer to require."`
}

// Kube is how the sidecar reports to Kubernetes, and on which Pod.
type Kube struct {
	PodReporting Switch `env:"HEALTH_POD_REPORTING" help:"Report on the Pod itself: a condition, and Events when a service's status changes. See docs/pod-condition.md for the rights that it needs."`
	PodName      string `env:"POD_NAME" format:"object" help:"Name of this Pod, by the downward API: metadata.name."`
	PodNamespace string `env:"POD_NAMESPACE" format:"object" help:"Its namespace: metadata.namespace."`
	PodUID       string `env:"POD_UID" format:"object" help:"Its UID: metadata.uid."`
}

// Database is the PostgreSQL server. Host may be the directory of a Unix socket.
type Database struct {
	Host           string `env:"HOST" format:"host or socket" help:"Host, or the directory of a Unix socket."`
	Port           int    `env:"PORT" min:"1" max:"65535" help:"Port."`
	Name           string `env:"NAME" help:"Database to connect to."`
	User           string `env:"USER" help:"Role to log in as."`
	Password       Secret `env:"PASSWORD" help:"Password of that role."`
	SSLMode        string `env:"SSLMODE" oneof:"disable allow prefer require verify-ca verify-full" help:"TLS, in libpq's words. When empty: verify-full with a root certificate, require in production, else prefer; a Unix socket has none."`
	SSLRootCert    string `env:"SSLROOTCERT" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
	SSLCert        string `env:"SSLCERT" format:"path" help:"PEM file with a client certificate."`
	SSLKey         string `env:"SSLKEY" format:"path" help:"PEM file with that certificate's key."`
	AllowReplica   Switch `env:"ALLOW_REPLICA" help:"Accept a standby or a read-only server, which is unhealthy otherwise."`
	SchemaCheck    Switch `env:"SCHEMA_CHECK" help:"Hold the version of the schema against the one that this release needs: below it, or unreadable, the database is schema_behind, and not ready until it was satisfied once."`
	AppConnections Switch `env:"APP_CONNECTIONS" help:"Count the connections that this Pod's API holds, by the address that it shares with the sidecar. Turn it off behind a pooler, which hides that address."`
	MigrationURL   Secret `env:"MIGRATION_URL" format:"postgres" help:"For reims-health migrate: an address of the server itself, with no pooler between, and the migrator's role. What it leaves out is as above."`
	Probe          Probe
}

// Redis is the Redis server.
type Redis struct {
	Host         string `env:"HOST" format:"host" help:"Host."`
	Port         int    `env:"PORT" min:"1" max:"65535" help:"Port."`
	Username     string `env:"USERNAME" help:"ACL user; the default user when empty."`
	Password     Secret `env:"PASSWORD" help:"Password; no login when empty."`
	DB           int    `env:"DB" min:"0" max:"2147483647" help:"Number of the database."`
	TLS          Switch `env:"TLS" help:"Connect with TLS."`
	CAFile       string `env:"CA_FILE" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
	AllowReplica Switch `env:"ALLOW_REPLICA" help:"Accept a replica, which is degraded otherwise."`
	Probe        Probe
}

// MinIO is the S3 server.
type MinIO struct {
	Endpoint  string   `env:"ENDPOINT" format:"endpoint" help:"Host, or host:port, with no scheme and no path."`
	AccessKey Secret   `env:"ACCESS_KEY" help:"Access key (user name)."`
	SecretKey Secret   `env:"SECRET_KEY" help:"Secret key."`
	Secure    Switch   `env:"SECURE" help:"Connect with TLS (https)."`
	Buckets   []string `env:"BUCKETS" format:"bucket" help:"Buckets that must exist; degraded while one does not. With it set, the credentials need not be allowed to list all buckets."`
	CAFile    string   `env:"CA_FILE" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
	Probe     Probe
}

// Ollama is the Ollama server. [Ollama.BaseURL] resolves Host and Port.
type Ollama struct {
	Host           string   `env:"HOST" format:"ollama" help:"Host, host:port or URL, as Ollama itself takes it. Its own port, if it has one, wins over OLLAMA_PORT. A URL may carry user:password for a proxy in front."`
	Port           int      `env:"PORT" min:"1" max:"65535" help:"Port, when OLLAMA_HOST has none. A URL with no port means 80 or 443, unless this is set."`
	RequiredModels []string `env:"REQUIRED_MODELS" format:"model" help:"Models that must be present; degraded while one is not. llama3 means llama3:latest. (OLLAMA_MODELS is Ollama's own, a directory.)"`
	InferenceModel string   `env:"INFERENCE_MODEL" format:"model" help:"Model on which a one-token generation is tried, only while Ollama has it loaded and at most once a minute. Off when empty."`
	Probe          Probe

	portSet bool // whether OLLAMA_PORT was given
}

// Migrate is how reims-health migrate goes about it.
type Migrate struct {
	ConnectTimeout   time.Duration `env:"CONNECT_TIMEOUT" help:"For how long a server that cannot be reached, or is starting up, is tried again."`
	RetryFor         time.Duration `env:"RETRY_FOR" min:"0s" help:"For how long migrate up tries again after what may pass by itself: a server that cannot be reached, a lost connection, another run, a locked table. 0s fails at once, after MIGRATE_CONNECT_TIMEOUT."`
	Secret           string        `env:"SECRET" help:"Name of the Kubernetes Secret that the files of the database's secrets come from, for the message where one is missing."`
	LockWait         time.Duration `env:"LOCK_WAIT" min:"0s" help:"For how long another run of migrate is waited for. 0s tries once."`
	LockTimeout      time.Duration `env:"LOCK_TIMEOUT" help:"Bound on the wait for a lock on a table. Everybody else who wants that table queues behind it meanwhile."`
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT" min:"0s" help:"Bound on each statement of a migration. 0s is none."`
}

// Probe is how one service is checked and judged.
type Probe struct {
	Interval         time.Duration `env:"PROBE_INTERVAL" help:"From the end of a check to the start of the next one, give or take a tenth."`
	Timeout          time.Duration `env:"PROBE_TIMEOUT" help:"Bound on one check: dial, login and answer. It may exceed the interval, since checks never overlap."`
	FailureThreshold int           `env:"PROBE_FAILURE_THRESHOLD" min:"1" max:"100" help:"Results in a row that it takes to make the verdict worse."`
	SuccessThreshold int           `env:"PROBE_SUCCESS_THRESHOLD" min:"1" max:"100" help:"Results in a row that it takes to make the verdict better."`
	DegradedLatency  time.Duration `env:"PROBE_DEGRADED_LATENCY" min:"0s" help:"A good answer that took longer makes the service degraded. 0s is off."`
	Readiness        string        `env:"READINESS" oneof:"strict startup ignore" help:"What the service means for /health/ready: it must be proven and not unhealthy; it must have been proven once; or nothing."`
	ReadinessGrace   time.Duration `env:"READINESS_GRACE" min:"0s" help:"For how long a strict service may be unhealthy before readiness follows. 0s is none."`
}
