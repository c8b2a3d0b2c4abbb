package cli

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/config"
)

// tokenPeriod is how soon a rotated token file counts.
const tokenPeriod = 10 * time.Second

// token keeps HEALTH_TOKEN in memory, so that no request reads a file.
type token struct {
	secret config.Secret
	log    *slog.Logger
	now    atomic.Pointer[string]
}

// value is the present token, or "" for none.
func (t *token) value() string {
	if v := t.now.Load(); v != nil {
		return *v
	}
	return ""
}

// Start reads the token, again and again where it comes from a file, until ctx is
// done. While the file cannot be read there is no token.
func (t *token) Start(ctx context.Context) error {
	tick := time.NewTicker(tokenPeriod)
	defer tick.Stop()
	for failed := false; ; {
		value, err := t.secret.Read()
		if err != nil && !failed {
			t.log.Warn("no token: details are withheld from everybody", "error", err)
		}
		failed = err != nil
		t.now.Store(&value)
		if t.secret.File() == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
