package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	peers "github.com/reims/reims-health/test/fleet"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

const (
	glance   = 200 * time.Millisecond // how often each sidecar is asked
	patience = time.Minute            // for what should happen within seconds
	outage   = 20 * time.Second
)

// fleet is sidecars that are peers of each other, each with a wire of its own to the
// database.
type fleet struct {
	program  string
	database *servers.Postgres
	pods     []*pod
	began    time.Time
}

type pod struct {
	name    string
	sidecar *program.Process
	wire    *relay.Relay
	told    state // as it was printed
}

// state is what a sidecar says of the database.
type state struct {
	ready         bool
	status, cause string
	scope         string
}

func (f *fleet) start(ctx context.Context, n int) error {
	members, err := peers.New(ctx, n, f.database.Addr())
	if err != nil {
		return err
	}
	for i, m := range members { // all wires have an owner before the first program starts
		f.pods = append(f.pods, &pod{name: fmt.Sprintf("pod %d", i+1), wire: m.Wire})
	}
	for i, m := range members {
		cmd := exec.Command(f.program, "serve")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LOG_FORMAT=json"}
		for _, v := range append(f.database.Env(), m.Vars...) {
			cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
		}
		if f.pods[i].sidecar, err = program.Serve(cmd); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) close() {
	for _, p := range f.pods {
		if p.sidecar != nil {
			p.sidecar.Kill()
		}
		p.wire.Close()
	}
}

// show goes through the faults. All settings are the defaults: checks every 5 s, and no
// grace.
func (f *fleet) show(ctx context.Context) error {
	f.began = time.Now()
	f.title("Six sidecars, each with its own wire to one PostgreSQL")
	if err := f.until(ctx, "all are ready and healthy", nil, healthy); err != nil {
		return err
	}

	f.title("PostgreSQL dies: no Pod is better off than another, so all stay in the Service")
	if err := f.database.Stop(); err != nil {
		return err
	}
	if err := f.until(ctx, "all say that the fault is shared", ready, func(s state) bool { return s.scope == "shared" }); err != nil {
		return err
	}
	f.say("", fmt.Sprintf("for %s more nothing may change", outage))
	if err := f.hold(ctx, outage, ready); err != nil {
		return err
	}
	f.title("PostgreSQL is started again")
	if err := f.database.Start(ctx); err != nil {
		return err
	}
	if err := f.until(ctx, "all are healthy, and none had left", ready, healthy); err != nil {
		return err
	}

	f.title("The wire of pod 1 is cut: it alone leaves the Service")
	one, others := f.pods[:1], &fleet{pods: f.pods[1:], began: f.began}
	one[0].wire.To("127.0.0.1:1") // nothing listens there
	cut := time.Now()
	left := func(s state) bool { return !s.ready }
	if err := f.untilOf(ctx, one, "pod 1 is not ready", ready, others, left); err != nil {
		return err
	}
	f.say("", fmt.Sprintf("not ready %.1f s after the cut", time.Since(cut).Seconds()))
	if err := others.hold(ctx, 5*time.Second, ready); err != nil {
		return err
	}
	f.title("The wire is whole again")
	one[0].wire.To(f.database.Addr())
	return f.until(ctx, "all are ready and healthy", nil, healthy)
}

func healthy(s state) bool { return s.ready && s.status == "healthy" }

func ready(s state) bool { return s.ready }

// until asks all sidecars until each is as wanted, and holds them to always meanwhile.
func (f *fleet) until(ctx context.Context, what string, always, want func(state) bool) error {
	return f.untilOf(ctx, f.pods, what, always, f, want)
}

// untilOf asks until each of the Pods is as wanted, and holds the held ones to always.
func (f *fleet) untilOf(ctx context.Context, pods []*pod, what string, always func(state) bool, held *fleet, want func(state) bool) error {
	for deadline := time.Now().Add(patience); ; {
		if err := f.look(ctx); err != nil {
			return err
		}
		if err := held.check(always); err != nil {
			return err
		}
		if all(pods, want) {
			f.say("", what)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s", patience, what)
		}
		if err := poll.Pause(ctx, glance); err != nil {
			return err
		}
	}
}

// hold asks for a time, in which all must stay as wanted.
func (f *fleet) hold(ctx context.Context, d time.Duration, want func(state) bool) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := f.look(ctx); err != nil {
			return err
		}
		if err := f.check(want); err != nil {
			return err
		}
		if err := poll.Pause(ctx, glance); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) check(want func(state) bool) error {
	for _, p := range f.pods {
		if want != nil && !want(p.told) {
			return fmt.Errorf("%s left the Service, and must not: %s", p.name, p.told.cause)
		}
	}
	return nil
}

func all(pods []*pod, want func(state) bool) bool {
	for _, p := range pods {
		if !want(p.told) {
			return false
		}
	}
	return true
}

// look asks every sidecar, and prints what changed.
func (f *fleet) look(ctx context.Context) error {
	for _, p := range f.pods {
		now, err := p.ask(ctx)
		if err != nil {
			return fmt.Errorf("ask %s: %w; its log:\n%s", p.name, err, p.sidecar.Log())
		}
		if now.ready != p.told.ready || now.status != p.told.status || now.scope != p.told.scope {
			f.say(p.name, now.String())
		}
		p.told = now
	}
	return nil
}

func (s state) String() string {
	readiness := "NOT READY"
	if s.ready {
		readiness = "ready    "
	}
	text := fmt.Sprintf("%s  database %s", readiness, s.status)
	if s.cause != "" {
		text += ": " + s.cause
	}
	return text
}

// ask reads /health/ready.
func (p *pod) ask(ctx context.Context) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.sidecar.Health+"/health/ready", nil)
	if err != nil {
		return state{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return state{}, err
	}
	defer response.Body.Close()
	var body struct {
		Status, Database string
		Details          struct {
			Database struct {
				Message string
				Scope   string `json:"fault_scope"`
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return state{}, err
	}
	return state{
		ready: body.Status == "ready", status: body.Database,
		cause: body.Details.Database.Message, scope: body.Details.Database.Scope,
	}, nil
}

func (f *fleet) title(text string) { fmt.Printf("\n%s\n", text) }

func (f *fleet) say(who, text string) {
	fmt.Printf("%6.1f s  %-6s %s\n", time.Since(f.began).Seconds(), who, text)
}
