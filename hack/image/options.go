package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

var errUsage = errors.New("usage: image -binary FILE [-binary FILE…] -name REFERENCE:TAG -out FILE, see -help")

// options are the command line.
type options struct {
	binaries   []string
	name       string
	out        string
	dockerfile string
	stage      string
	arguments  map[string]string
	sbom       string
	created    time.Time
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{arguments: map[string]string{}, created: time.Unix(0, 0).UTC()}
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Func("binary", "static `program`; once more for each further platform", func(file string) error {
		o.binaries = append(o.binaries, file)
		return nil
	})
	flags.StringVar(&o.name, "name", "", "`reference` under which a runtime knows the image, such as ghcr.io/example/api:v1")
	flags.StringVar(&o.out, "out", "", "OCI archive to write")
	flags.StringVar(&o.dockerfile, "dockerfile", "", "`file` of which a stage configures the image")
	flags.StringVar(&o.stage, "stage", "", "`name` of that stage; the default is the last one")
	flags.Func("arg", "`NAME=VALUE` for the Dockerfile; can be repeated", func(pair string) error {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("want NAME=VALUE")
		}
		o.arguments[name] = value
		return nil
	})
	flags.StringVar(&o.sbom, "sbom", "", "`folder` to write a bill of materials to, one a platform")
	flags.Func("created", "`time` of the image and all in it, as RFC 3339; the default is 1970", func(text string) (err error) {
		o.created, err = time.Parse(time.RFC3339, text)
		o.created = o.created.UTC()
		return err
	})
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if len(o.binaries) == 0 || tagOf(o.name) == "" || o.out == "" || flags.NArg() > 0 {
		return o, errUsage
	}
	return o, nil
}

// tagOf returns nothing when the reference has no tag.
func tagOf(reference string) string {
	i := strings.LastIndexByte(reference, ':')
	if i < 0 || strings.Contains(reference[i:], "/") { // the colon is a port's
		return ""
	}
	return reference[i+1:]
}
