package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/reims/reims-health/hack/image/rootfs"
)

// program is a static binary, and what it says of itself.
type program struct {
	name     string
	content  []byte
	info     *buildinfo.BuildInfo
	platform v1.Platform
}

func readProgram(file string) (program, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return program{}, fmt.Errorf("read what %s was built of: %w", file, err)
	}
	p := program{name: filepath.Base(file), content: content, info: info}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			p.platform.OS = s.Value
		case "GOARCH":
			p.platform.Architecture = s.Value
		case "CGO_ENABLED":
			if s.Value != "0" {
				return p, fmt.Errorf("%s was built with CGO_ENABLED=%s: it would need a C library that the image does not have", file, s.Value)
			}
		}
	}
	return p, nil
}

// newImage returns the image of one platform.
func newImage(p program, config v1.Config, created time.Time) (v1.Image, error) {
	layer, err := newLayer(rootfs.Files(p.name, p.content), created)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: p.platform.Architecture, OS: p.platform.OS,
		Created: v1.Time{Time: created}, Config: config,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "hack/image"},
	})
}
