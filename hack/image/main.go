package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp): // shown already
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	var programs []program
	var images []v1.Image
	var config v1.Config
	for _, file := range o.binaries {
		p, err := readProgram(file)
		if err != nil {
			return err
		}
		if config, err = configure(o, p); err != nil {
			return err
		}
		image, err := newImage(p, config, o.created)
		if err != nil {
			return fmt.Errorf("make the image of %s: %w", file, err)
		}
		programs, images = append(programs, p), append(images, image)
	}
	what := join(images, programs, config.Labels)
	if err := writeArchive(o.out, what, names(o.name), o.created); err != nil {
		return err
	}
	return errors.Join(report(out, o.out, what), writeSBOMs(out, o, programs))
}

func configure(o options, p program) (v1.Config, error) {
	if o.dockerfile == "" {
		return v1.Config{User: "65532:65532", Entrypoint: []string{path.Join("/", p.name)}}, nil
	}
	return readDockerfile(o.dockerfile, o.stage, o.arguments)
}

// names are what runtimes look for: the first is containerd's and Docker's, the
// second the standard's.
func names(reference string) map[string]string {
	return map[string]string{
		"io.containerd.image.name":          reference,
		"org.opencontainers.image.ref.name": tagOf(reference),
	}
}

func report(out io.Writer, file string, what mutate.Appendable) error {
	digest, err := what.Digest()
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n  %s, %.1f MB\n", file, digest, float64(info.Size())/1e6)
	return err
}

func writeSBOMs(out io.Writer, o options, programs []program) error {
	if o.sbom == "" {
		return nil
	}
	for _, p := range programs {
		file, err := writeSBOM(o.sbom, p, tagOf(o.name), o.created)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", file); err != nil {
			return err
		}
	}
	return nil
}
