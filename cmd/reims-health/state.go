package main

import (
	"log/slog"
	"strconv"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/state"
)

// restoreState gives the services what an earlier process of this Pod knew of them. It
// returns what keeps that from now on, or nil where HEALTH_STATE_FILE is not set.
func restoreState(cfg *config.Config, services []*health.Service, log *slog.Logger) *state.Keeper {
	if cfg.Health.StateFile == "" {
		return nil
	}
	keeper := &state.Keeper{
		Path: cfg.Health.StateFile, Pod: cfg.Kube.PodUID,
		Definitions: make(map[string]string), Log: log,
	}
	for _, svc := range services {
		keeper.Definitions[svc.Name] = definition(cfg, svc.Name)
	}
	restored := keeper.Restore()
	for _, svc := range services {
		svc.Restored = restored[svc.Name]
	}
	return keeper
}

// definition is the digest of what is checked. The required schema is part of it: a new
// image, in the same Pod, may need a newer one.
func definition(cfg *config.Config, service string) string {
	if service == "database" && bool(cfg.Database.SchemaCheck) {
		return cfg.Definition(service, "schema", strconv.FormatInt(migrations.Required, 10))
	}
	return cfg.Definition(service)
}
