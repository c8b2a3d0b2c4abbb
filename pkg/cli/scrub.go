package cli

import (
	"errors"

	"github.com/reims/reims-health/pkg/config"
)

// scrubbed takes secrets out of an error's text. The configuration's own errors never
// hold one.
func scrubbed(cfg *config.Config, err error) error {
	var wrong *config.Error
	if err == nil || errors.As(err, &wrong) {
		return err
	}
	return &scrubbedError{cfg.Redactor().Scrub(err.Error()), err}
}

type scrubbedError struct {
	text string
	err  error
}

func (e *scrubbedError) Error() string { return e.text }
func (e *scrubbedError) Unwrap() error { return e.err }
