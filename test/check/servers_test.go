package check_test

import (
	"context"
	"errors"
	"sync"

	"github.com/reims/reims-health/test/servers"
)

// shared are a server of each kind that no test disturbs.
var shared pool

type pool struct {
	dir  string
	once sync.Once
	all  []servers.Server
	err  error
}

// env starts the servers once, and returns the variables by which they are reached.
func (p *pool) env(ctx context.Context) ([]string, error) {
	p.once.Do(func() {
		p.all, p.err = servers.NewSet(servers.Options{Dir: p.dir})
		errs := make([]error, len(p.all))
		var starting sync.WaitGroup
		for i, server := range p.all {
			starting.Go(func() { errs[i] = server.Start(ctx) })
		}
		starting.Wait()
		p.err = errors.Join(p.err, errors.Join(errs...))
	})
	var env []string
	for _, server := range p.all {
		env = append(env, assignments(server.Env())...)
	}
	return env, p.err
}

func (p *pool) close() error {
	var errs []error
	for _, server := range p.all {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

func assignments(vars []servers.Var) []string {
	var env []string
	for _, v := range vars {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}
