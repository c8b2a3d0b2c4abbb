package servers

import "context"

// ProgramOptions say how to start any other program that listens on one address.
type ProgramOptions struct {
	Options
	// Name is what messages and the log call it. Required.
	Name string
	// Path is the program. Required.
	Path string
	// Args returns its arguments, which make it listen on addr, host:port.
	Args func(addr string) []string
}

// Program is a server of a test's own, as a process.
type Program struct{ *Process }

// NewProgram prepares a program. It is ready once it accepts connections.
func NewProgram(o ProgramOptions) (*Program, error) {
	p, err := newProcess(o.Name, o.Options)
	if err != nil {
		return nil, err
	}
	p.path, p.args = o.Path, o.Args(p.Addr())
	p.prepare = func(context.Context) error { return nil }
	p.ready = func(ctx context.Context) error { return dial(ctx, p.Addr()) }
	return &Program{p}, nil
}

// Endpoint returns the address as a URL.
func (p *Program) Endpoint() string { return "tcp://" + p.Addr() }

// Env returns nothing: the product knows no such server.
func (p *Program) Env() []Var { return nil }
