// Package changelog logs the differences between one [health.View] and the next. pkg/cli
// runs it. It never redacts: that is the task of its logger.
package changelog
