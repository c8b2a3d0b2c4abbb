package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reims/reims-health/test/servers"
)

// serverOf names the server behind each service of HEALTH_SERVICES.
var serverOf = map[string]string{"database": "postgres", "redis": "redis", "minio": "minio", "ollama": "ollama"}

// narrow keeps the servers behind the listed services; an empty list keeps all.
func narrow(set []servers.Server, services string) ([]servers.Server, error) {
	if strings.TrimSpace(services) == "" {
		return set, nil
	}
	var names []string
	for service := range strings.SplitSeq(services, ",") {
		name, ok := serverOf[strings.TrimSpace(service)]
		if !ok {
			return nil, fmt.Errorf("HEALTH_SERVICES: no service is called %q", strings.TrimSpace(service))
		}
		names = append(names, name)
	}
	return slices.DeleteFunc(set, func(s servers.Server) bool { return !slices.Contains(names, s.Name()) }), nil
}

// split tells those that are installed in seconds from those that are built.
func split(set []servers.Server) (quick, slow []servers.Server) {
	for _, s := range set {
		if s.Name() == "postgres" || s.Name() == "redis" {
			quick = append(quick, s)
		} else {
			slow = append(slow, s)
		}
	}
	return quick, slow
}
