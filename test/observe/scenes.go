package observe

import (
	"context"
	"errors"
	"time"
)

// What the sidecars use: a role that is no superuser, and a bucket.
const (
	role   = "observer"
	bucket = "documents"
)

// Scene is a way in which things break, and the alert that must tell of it.
type Scene struct {
	Name        string
	Break, Mend func(context.Context, *Stage) error
	// Hold is how long it stays broken at least, before durations are divided, so that
	// alerts that should keep quiet have the time to speak.
	Hold time.Duration
	// Alerts are those that arrive, each once, as [Alert.String] has them.
	Alerts []string
	// Silenced are those that fire as well, and that Alertmanager keeps to itself.
	Silenced []string
}

// Scenes are what happens, in order. After each everything is well again.
func Scenes() []Scene {
	const long = 7 * time.Minute // every page waits for less
	const databaseDown = "ReimsHealthDatabaseDown severity=critical namespace=reims service=database"
	return []Scene{
		{
			// However long it lasts, the failed checks do not page: the database is degraded.
			Name:   "PostgreSQL refuses the login",
			Break:  refuseLogin,
			Mend:   allowLogin,
			Alerts: []string{"ReimsHealthCredentialsFailing severity=warning namespace=reims service=database"},
		},
		{
			Name:   "PostgreSQL is frozen",
			Hold:   long,
			Break:  func(_ context.Context, s *Stage) error { return s.Postgres.Freeze() },
			Mend:   func(_ context.Context, s *Stage) error { return s.Postgres.Thaw() },
			Alerts: []string{databaseDown},
		},
		{
			Name:   "Redis is stopped",
			Hold:   long,
			Break:  func(_ context.Context, s *Stage) error { return s.Redis.Stop() },
			Mend:   func(ctx context.Context, s *Stage) error { return s.Redis.Start(ctx) },
			Alerts: []string{"ReimsHealthDependencyDown severity=warning namespace=reims service=redis"},
		},
		{
			Name:   "one Pod's way to PostgreSQL is cut",
			Hold:   long,
			Break:  cut,
			Mend:   func(_ context.Context, s *Stage) error { s.Way.Point(s.Postgres.Addr()); return nil },
			Alerts: []string{"ReimsHealthDatabaseUnreachable severity=warning namespace=reims service=database node=node-2"},
		},
		{
			Name:  "PostgreSQL is restarted",
			Hold:  long,
			Break: restart,
			Mend:  func(context.Context, *Stage) error { return nil },
		},
		{
			Name:   "one sidecar is killed",
			Hold:   long,
			Break:  func(_ context.Context, s *Stage) error { return s.Sidecars[0].Kill() },
			Mend:   func(ctx context.Context, s *Stage) error { return s.Sidecars[0].Start(ctx) },
			Alerts: []string{"ReimsHealthSidecarAbsent severity=warning namespace=reims"},
		},
		{
			Name:   "PostgreSQL is killed",
			Hold:   long,
			Break:  func(_ context.Context, s *Stage) error { return s.Postgres.Kill() },
			Mend:   func(ctx context.Context, s *Stage) error { return s.Postgres.Start(ctx) },
			Alerts: []string{databaseDown},
		},
		{
			Name:   "every sidecar is killed",
			Hold:   long,
			Break:  killSidecars,
			Mend:   startSidecars,
			Alerts: []string{"ReimsHealthSidecarAbsent severity=critical namespace=reims"},
		},
		{
			Name:  "MinIO and Ollama are stopped",
			Hold:  long,
			Break: func(_ context.Context, s *Stage) error { return errors.Join(s.MinIO.Stop(), s.Ollama.Stop()) },
			Mend: func(ctx context.Context, s *Stage) error {
				return errors.Join(s.MinIO.Start(ctx), s.Ollama.Start(ctx))
			},
			Alerts: []string{
				"ReimsHealthDependencyDown severity=warning namespace=reims service=minio",
				"ReimsHealthDependencyDown severity=warning namespace=reims service=ollama",
			},
		},
		{
			Name:  "the schema cannot be read, MinIO lacks a bucket, Redis is full",
			Break: impair,
			Mend:  repair,
			Alerts: []string{
				"ReimsHealthDegraded severity=warning namespace=reims service=minio",
				"ReimsHealthDegraded severity=warning namespace=reims service=redis",
				"ReimsHealthSchemaBehind severity=warning namespace=reims service=database",
			},
			Silenced: []string{"ReimsHealthDegraded severity=warning namespace=reims service=database"},
		},
	}
}

// cut ends the last sidecar's connections to PostgreSQL, and lets no new ones through.
func cut(_ context.Context, s *Stage) error {
	s.Way.Point("127.0.0.1:1") // where nothing listens
	s.Way.Cut()
	return nil
}

func restart(ctx context.Context, s *Stage) error {
	return errors.Join(s.Postgres.Stop(), s.Postgres.Start(ctx))
}

func killSidecars(_ context.Context, s *Stage) error {
	var errs []error
	for _, sidecar := range s.Sidecars {
		errs = append(errs, sidecar.Kill())
	}
	return errors.Join(errs...)
}

func startSidecars(ctx context.Context, s *Stage) error {
	var errs []error
	for _, sidecar := range s.Sidecars {
		errs = append(errs, sidecar.Start(ctx))
	}
	return errors.Join(errs...)
}

// impair makes services degraded that stay usable.
func impair(ctx context.Context, s *Stage) error {
	return errors.Join(
		s.Postgres.SQL(ctx, "alter table goose_db_version rename to hidden"),
		s.MinIO.RemoveBucket(ctx, bucket),
		s.Redis.Do(ctx, "CONFIG", "SET", "maxmemory", "1"),
	)
}

func repair(ctx context.Context, s *Stage) error {
	return errors.Join(
		s.Postgres.SQL(ctx, "alter table hidden rename to goose_db_version"),
		s.MinIO.MakeBucket(ctx, bucket),
		s.Redis.Do(ctx, "CONFIG", "SET", "maxmemory", "0"),
	)
}

// refuseLogin takes the right to log in from the sidecars' role, and ends its sessions.
func refuseLogin(ctx context.Context, s *Stage) error {
	return s.Postgres.SQL(ctx, "alter role "+role+" password null; "+
		"select pg_terminate_backend(pid) from pg_stat_activity where usename = '"+role+"'")
}

func allowLogin(ctx context.Context, s *Stage) error {
	return s.Postgres.SQL(ctx, "alter role "+role+" password '"+s.rolePassword+"'")
}
