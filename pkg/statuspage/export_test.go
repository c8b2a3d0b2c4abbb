package statuspage

import (
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// MeasureText is what people read of a value now.
func MeasureText(v health.Value, now time.Time) string { return measureText(v, now) }

// Keeps reports whether a rendered page is kept.
func (p *Page) Keeps() bool { return !p.latest.Empty() }
