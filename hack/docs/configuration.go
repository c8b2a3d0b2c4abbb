package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

//go:embed configuration.md.tmpl
var configurationTemplate string

// section is what stands under one heading.
type section struct {
	Title     string
	Variables []config.Variable
}

func sections(kinds dependency.Kinds) []section {
	var all []section
	for _, v := range config.Variables(kinds.Services()) {
		if len(all) == 0 || all[len(all)-1].Title != v.Section {
			all = append(all, section{Title: v.Section})
		}
		last := &all[len(all)-1]
		last.Variables = append(last.Variables, v)
	}
	return all
}

// writeReference renders docs/configuration.md.
func writeReference(w io.Writer, kinds dependency.Kinds) error {
	t, err := template.New("configuration").Funcs(template.FuncMap{
		"cell": cell,
		"code": code,
	}).Parse(configurationTemplate)
	if err != nil {
		return err
	}
	return t.Execute(w, sections(kinds))
}

// cell makes text fit for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`).Replace(text)
}

// code sets a value as code, and an empty one as nothing.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

const sampleHeading = `# Every variable of reims-health with its default, commented out. Copy what you
# change to a .env file and start with: reims-health serve --env-file .env
# docs/configuration.md explains them. Generated: go run ./hack/docs
`

// writeSampleEnv renders config/sample.env.
func writeSampleEnv(w io.Writer, kinds dependency.Kinds) error {
	var b strings.Builder
	b.WriteString(sampleHeading)
	for _, s := range sections(kinds) {
		fmt.Fprintf(&b, "\n# %s %s\n", s.Title, strings.Repeat("-", 76-len(s.Title)))
		for _, v := range s.Variables {
			fmt.Fprintf(&b, "\n%s#   %s\n#%s=%s\n", wrap(v.Help), v.Values, v.Name, v.Default)
			if v.Secret {
				fmt.Fprintf(&b, "#%s_FILE=\n", v.Name)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap sets text as comment lines of at most 80 characters.
func wrap(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
