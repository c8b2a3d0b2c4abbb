package cli

import (
	"context"
	"fmt"

	"github.com/reims/reims-health/pkg/check"
)

// compare asks the predecessor as well, and fails where a difference is not meant.
func (c *checking) compare(ctx context.Context) error {
	predecessor := check.NewClient(*c.old)
	stop := c.progress(func() string { return "comparing " + predecessor.URL() + " and " + c.client.URL() })
	comparison, err := check.Compare(ctx, predecessor, c.client)
	stop()
	if err != nil {
		return c.failed(err)
	}
	p := c.printer()
	if err := c.result(comparison, func() error { p.Comparison(comparison); return p.Err() }); err != nil {
		return err
	}
	if !comparison.Success {
		return fmt.Errorf("%d differences are not meant", comparison.Unmeant)
	}
	return nil
}
