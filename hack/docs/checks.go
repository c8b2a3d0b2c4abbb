package main

import (
	_ "embed"
	"io"
	"strings"
	"text/template"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

//go:embed checks.md.tmpl
var checksTemplate string

// named is what a reader is told of one kind as NAME_CHECK chooses it.
type named struct {
	Title   string
	Schemes []dependency.Scheme
	// Variables are those of a service of the name NAME, besides those that every
	// service has.
	Variables []config.Variable
}

// checks is all that docs/checks.md is made of.
type checks struct {
	Kinds  []named
	Common []config.Variable
}

// writeChecks renders docs/checks.md.
func writeChecks(w io.Writer, kinds dependency.Kinds) error {
	t, err := template.New("checks").Funcs(template.FuncMap{
		"cell": cell,
		"code": code,
		"expand": func(text string) string {
			return dependency.Prefix("NAME_").Expand(text)
		},
	}).Parse(checksTemplate)
	if err != nil {
		return err
	}
	all, err := describeChecks(kinds)
	if err != nil {
		return err
	}
	return t.Execute(w, all)
}

func describeChecks(kinds dependency.Kinds) (checks, error) {
	var all checks
	for _, k := range kinds {
		if len(k.Schemes) == 0 {
			continue
		}
		described := named{Title: k.Heading, Schemes: k.Schemes}
		listed := make(map[string]bool)
		for _, scheme := range k.Schemes {
			variables, err := variablesOf(kinds, scheme.Name)
			if err != nil {
				return checks{}, err
			}
			for _, v := range variables {
				switch {
				case isCommon(v) && len(all.Common) < commonVariables:
					all.Common = append(all.Common, v)
				case !isCommon(v) && !listed[v.Name]:
					listed[v.Name] = true
					described.Variables = append(described.Variables, v)
				}
			}
		}
		all.Kinds = append(all.Kinds, described)
	}
	return all, nil
}

// commonVariables is how many variables every service has: those of [config.Probe].
const commonVariables = 8

func isCommon(v config.Variable) bool {
	name := strings.TrimPrefix(v.Name, "NAME_")
	return strings.HasPrefix(name, "PROBE_") || strings.HasPrefix(name, "READINESS") || name == "SHARED_FAULT"
}

// variablesOf returns the variables of a service of that scheme, but for NAME_CHECK.
func variablesOf(kinds dependency.Kinds, scheme string) ([]config.Variable, error) {
	service, err := kinds.Example(scheme, "name")
	if err != nil {
		return nil, err
	}
	var variables []config.Variable
	for _, v := range config.Variables([]*config.Service{service}) {
		if strings.HasPrefix(v.Name, "NAME_") && v.Name != "NAME_CHECK" {
			variables = append(variables, v)
		}
	}
	return variables, nil
}
