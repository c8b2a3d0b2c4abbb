package page

import (
	"os/exec"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// Sidecar is a running `reims-health serve`.
type Sidecar struct {
	*program.Process
	// URL is that of its health address, with no slash at the end.
	URL string
}

// StartSidecar runs the program at that path with these variables and nothing else, on free
// ports of loopback, and returns once it listens. Stop ends it.
func StartSidecar(path string, vars ...servers.Var) (*Sidecar, error) {
	cmd := exec.Command(path, "serve")
	cmd.Env = []string{"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_SCHEMA_CHECK=off"}
	for _, v := range vars {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	p, err := program.Serve(cmd)
	if err != nil {
		return nil, err
	}
	return &Sidecar{p, "http://" + p.Health}, nil
}
