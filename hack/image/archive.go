package main

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// join returns what an archive holds: the image of the one platform, or the index of
// the images of several.
func join(images []v1.Image, programs []program, annotations map[string]string) mutate.Appendable {
	if len(images) == 1 {
		return mutate.Annotations(images[0], annotations).(v1.Image)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: mutate.Annotations(image, annotations).(v1.Image), Descriptor: v1.Descriptor{Platform: &programs[i].platform},
		})
	}
	return mutate.Annotations(index, annotations).(v1.ImageIndex)
}

// writeArchive writes an OCI archive: the image layout as a tar file.
func writeArchive(file string, what mutate.Appendable, annotations map[string]string, created time.Time) (err error) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: what, Descriptor: v1.Descriptor{Annotations: annotations},
	})
	if _, err := layout.Write(dir, index); err != nil {
		return fmt.Errorf("write the image layout: %w", err)
	}
	// Whole or not at all.
	temp := file + ".new"
	if err := tarFolder(temp, dir, created); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	return os.Rename(temp, file)
}

// tarFolder writes all that is in the folder, sorted by path.
func tarFolder(file, dir string, modified time.Time) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	out := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return out.WriteHeader(header(name+"/", tar.TypeDir, 0o755, 0, modified))
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := out.WriteHeader(header(name, tar.TypeReg, 0o644, len(content), modified)); err != nil {
			return err
		}
		_, err = out.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return f.Close()
}
