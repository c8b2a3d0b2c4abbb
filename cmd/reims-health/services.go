package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
)

// maxDatabaseMessage is far above what the probe's statement answers, in bytes.
const maxDatabaseMessage = 1 << 20

// newServices returns the services to watch, in the configured order, and the
// function that closes their clients. Nothing is dialled yet.
func newServices(cfg *config.Config, log *slog.Logger) ([]*health.Service, func(), error) {
	constructors := map[string]func() (*health.Service, func() error, error){
		"database": func() (*health.Service, func() error, error) { return newDatabase(cfg, log) },
		"redis":    func() (*health.Service, func() error, error) { return newRedis(cfg) },
		"minio":    func() (*health.Service, func() error, error) { return newMinIO(cfg) },
		"ollama":   func() (*health.Service, func() error, error) { return newOllama(cfg) },
	}
	var (
		services []*health.Service
		closers  []func() error
		errs     []error
	)
	for _, name := range cfg.Health.Services {
		svc, closer, err := constructors[name]()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		svc.Name = name
		services = append(services, svc)
		closers = append(closers, closer)
	}
	closeAll := func() {
		for _, c := range closers {
			if err := c(); err != nil {
				log.Warn("close client", "error", err)
			}
		}
	}
	return services, closeAll, errors.Join(errs...)
}

func newService(p config.Probe, c health.Checker) *health.Service {
	return &health.Service{
		Checker:          c,
		Interval:         p.Interval,
		Timeout:          p.Timeout,
		FailureThreshold: p.FailureThreshold,
		SuccessThreshold: p.SuccessThreshold,
		DegradedLatency:  p.DegradedLatency,
		Readiness:        health.Policy(p.Readiness),
		ReadinessGrace:   p.ReadinessGrace,
	}
}

// newDatabase opens the sidecar's own pool: one connection, and a second one for
// when the first is held up by a statement that timed out. The probe says when they
// are dialled afresh.
func newDatabase(cfg *config.Config, log *slog.Logger) (*health.Service, func() error, error) {
	c := cfg.Database
	pool := databaseConfig(cfg)
	pool.MaxConns, pool.SkipPing, pool.MaxMessage = 2, true, maxDatabaseMessage
	pool.ConnectTimeout, pool.CommandTimeout = c.Probe.Timeout, c.Probe.Timeout
	pool.ApplicationName, pool.Logger = "reims-health", log
	db, err := database.Open(context.Background(), pool)
	if err != nil {
		return nil, nil, err
	}
	options := probe.PostgresOptions{
		Logger:         log,
		Database:       c.Name,
		AllowReplica:   bool(c.AllowReplica),
		AppConnections: bool(c.AppConnections),
	}
	if c.SchemaCheck {
		options.RequiredSchema, options.SchemaTable = migrations.Required, migrations.Table
	}
	return newService(c.Probe, probe.NewPostgres(db.Pool(), options)), db.Close, nil
}

// databaseConfig is where the database is and how to log in, for a pool that keeps no
// connection of its own accord. Statements are not logged as slow: the probe has
// DATABASE_PROBE_DEGRADED_LATENCY, and migrations tell their times.
func databaseConfig(cfg *config.Config) database.Config {
	c := cfg.Database
	return database.Config{
		Host: c.Host, Port: uint16(c.Port), Name: c.Name, User: c.User, //nolint:gosec // validated
		Password:    reader(c.Password),
		SSLMode:     cfg.DatabaseSSLMode(),
		SSLRootCert: c.SSLRootCert,
		SSLCert:     c.SSLCert,
		SSLKey:      c.SSLKey,
		MinConns:    -1,
		SlowQuery:   -1,
	}
}

func newRedis(cfg *config.Config) (*health.Service, func() error, error) {
	c := cfg.Redis
	options := probe.RedisOptions{
		Addr:         net.JoinHostPort(c.Host, strconv.Itoa(c.Port)),
		Username:     c.Username,
		Password:     reader(c.Password),
		DB:           c.DB,
		AllowReplica: bool(c.AllowReplica),
		Timeout:      c.Probe.Timeout,
	}
	if c.TLS {
		options.TLS = probe.TLSConfig(c.CAFile)
	}
	p := probe.NewRedis(options)
	return newService(c.Probe, p), p.Close, nil
}

func newMinIO(cfg *config.Config) (*health.Service, func() error, error) {
	c := cfg.MinIO
	p := probe.NewMinIO(probe.MinIOOptions{
		Endpoint: c.Endpoint,
		Secure:   bool(c.Secure),
		CAFile:   c.CAFile,
		Keys: func(context.Context) (access, secret string, err error) {
			access, err1 := c.AccessKey.Read()
			secret, err2 := c.SecretKey.Read()
			return access, secret, errors.Join(err1, err2)
		},
		Buckets: c.Buckets,
		Timeout: c.Probe.Timeout,
	})
	return newService(c.Probe, p), p.Close, nil
}

func newOllama(cfg *config.Config) (*health.Service, func() error, error) {
	c := cfg.Ollama
	base, err := c.BaseURL()
	if err != nil {
		return nil, nil, err
	}
	p := probe.NewOllama(probe.OllamaOptions{
		BaseURL:        base.String(),
		RequiredModels: c.RequiredModels,
		InferenceModel: c.InferenceModel,
		Timeout:        c.Probe.Timeout,
	})
	return newService(c.Probe, p), p.Close, nil
}

// reader adapts a secret to what a client asks before each dial.
func reader(s config.Secret) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s.Read() }
}
