package config_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// Whatever a variable is set to, of the sidecar or of a service of any kind, loading ends with
// a configuration or with problems, and what is secret is in no problem, no warning and not in
// the listing. The variable is chosen by number, so that new ones are tried too. Every Z
// becomes a canary in secrets.
func FuzzVariables(f *testing.F) {
	type choice struct {
		config.Variable
		check string // of the named service
	}
	named, err := registry.Kinds().Examples("named-service")
	if err != nil {
		f.Fatal(err)
	}
	var choices []choice
	for i, service := range named {
		services := []*config.Service{service}
		if i == 0 {
			services = append(services, registry.Kinds().Services()...)
		}
		for _, v := range config.Variables(services) {
			if i == 0 || strings.HasPrefix(v.Name, "NAMED_SERVICE_") {
				choices = append(choices, choice{v, service.Origin.Check})
			}
		}
	}
	for i := range choices {
		f.Add(uint16(i), "5")
		f.Add(uint16(i), "Z'\"\\ $")
	}
	f.Add(uint16(0), "\x00")
	f.Fuzz(func(t *testing.T, number uint16, text string) {
		v := choices[int(number)%len(choices)]
		if v.Secret {
			text = strings.ReplaceAll(text, "Z", canary)
		}
		o := config.Options{
			Services: registry.Kinds().Services(), Named: registry.Kinds().Named,
			Environ: []string{v.Name + "=" + text, "HEALTH_SERVICES=database,redis,minio,ollama,named-service", "NAMED_SERVICE_CHECK=" + v.check},
		}
		c, warnings, err := config.Load(o)
		var all *config.Error
		if (err == nil) != (c != nil) || err != nil && !errors.As(err, &all) {
			t.Fatalf("%s=%q: config %v, error %v", v.Name, text, c, err)
		}
		var said strings.Builder
		for _, w := range warnings {
			said.WriteString(w.String())
		}
		if all != nil {
			said.WriteString(all.Error())
		} else if err := c.Print(&said); err != nil {
			t.Fatal(err)
		}
		if v.Secret && strings.Contains(said.String(), canary[:11]) {
			t.Errorf("%s=%s: %s", v.Name, strconv.Quote(text), said.String())
		}
	})
}
