package cli

import (
	"log/slog"

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
	for _, s := range cfg.Enabled() {
		if settings, err := settingsOf(s); err == nil {
			keeper.Definitions[s.Name] = cfg.Definition(s.Name, settings.Identity()...)
		}
	}
	restored := keeper.Restore()
	for _, svc := range services {
		svc.Restored = restored[svc.Name]
	}
	return keeper
}
