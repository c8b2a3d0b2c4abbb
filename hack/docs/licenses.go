package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a module that a shipped program is linked with.
type module struct{ path, version, dir string }

// licences are those that dependencies may have, with a pattern that identifies their texts. All
// of them allow linking and distribution, if the licence text is included.
var licences = []struct {
	name  string
	words *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License,? Version 2\.0`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and(/or)? distribute this software for any purpose`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms.*(Neither the name|nor the names|names of its contributors may not)`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? (Version|version) 2\.0`)},
}

const licensesHead = `<!-- Written by make update-docs. -->
# Licences of the dependencies

reims-health has the [Apache License 2.0](../LICENSE). These modules are linked into its programs, ` + "`reims-health`" + ` and
` + "`reims-health-fleet`" + `; the bill of materials of each image lists them too. If you distribute a program, you must include
their licence texts, which are in each module's folder. ` + "`make verify-docs`" + ` fails if a dependency has another licence.

| module | version | licence |
|---|---|---|
`

// writeLicenses lists the modules of the programs below ./cmd. The error names every module
// without a known licence.
func writeLicenses(w io.Writer) error {
	modules, err := linkedModules()
	if err != nil {
		return err
	}
	var unknown []string
	var text strings.Builder
	text.WriteString(licensesHead)
	for _, m := range modules {
		names, err := licencesOf(m.dir)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			unknown = append(unknown, m.path)
		}
		fmt.Fprintf(&text, "| %s | %s | %s |\n", m.path, m.version, strings.Join(names, " and "))
	}
	if len(unknown) > 0 {
		return fmt.Errorf("no known licence in %s: read its licence, and add it to hack/docs/licenses.go if it allows distribution", strings.Join(unknown, ", "))
	}
	_, err = io.WriteString(w, text.String())
	return err
}

func linkedModules() ([]module, error) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}} {{.Dir}}{{end}}", "github.com/reims/reims-health/cmd/...")
	// The images are for Linux, on whatever machine this runs.
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var modules []module
	for _, line := range slices.Compact(lines) {
		if f := strings.Fields(line); len(f) == 3 { // the main module has no version
			modules = append(modules, module{f[0], f[1], f[2]})
		}
	}
	return modules, nil
}

var spaces = regexp.MustCompile(`\s+`)

// licencesOf returns the licences in the files of a module's folder.
func licencesOf(dir string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if base := strings.ToUpper(filepath.Base(file)); !strings.HasPrefix(base, "LICEN") && !strings.HasPrefix(base, "COPYING") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = bytes.ReplaceAll(spaces.ReplaceAll(text, []byte(" ")), []byte(" // "), []byte(" "))
		for _, l := range licences {
			redundant := l.name == "BSD-2-Clause" && slices.Contains(names, "BSD-3-Clause")
			if l.words.Match(text) && !redundant && !slices.Contains(names, l.name) {
				names = append(names, l.name)
			}
		}
	}
	return names, nil
}
