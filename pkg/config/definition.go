package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Definition returns a digest of the settings that say what is checked for a service
// and what it means for readiness: the server, the database, the names that must be
// there, but not how often or with what password. Facts are further ones of the kind.
// The digest is another one in every Pod, and no secret goes into it.
func (c *Config) Definition(service string, facts ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q\n", c.Kube.PodUID, facts)
	s, err := c.Service(service)
	if err != nil { // no definition is like this one
		return service
	}
	for _, v := range variables(c) {
		name, ours := strings.CutPrefix(v.Name, s.Prefix())
		if !ours || v.Secret || strings.HasPrefix(name, "PROBE_") || name == "READINESS_GRACE" {
			continue
		}
		fmt.Fprintf(h, "%q %q\n", name, v.public())
	}
	for _, d := range s.effective(c.Health.Environment) {
		fmt.Fprintf(h, "%q %q\n", d[0], d[1])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
