package main

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/reims/reims-health/hack/image/rootfs"
)

// newLayer returns the files, and the folders they are in, as one layer. Nothing in
// it depends on the machine or the hour it is made: all times are the one given.
func newLayer(files []rootfs.File, created time.Time) (v1.Layer, error) {
	var content bytes.Buffer
	out := tar.NewWriter(&content)
	folders := map[string]bool{"/": true}
	for _, file := range files {
		for _, folder := range parents(file.Path) {
			if folders[folder] {
				continue
			}
			folders[folder] = true
			if err := out.WriteHeader(header(folder+"/", tar.TypeDir, 0o755, 0, created)); err != nil {
				return nil, err
			}
		}
		if err := out.WriteHeader(header(file.Path, tar.TypeReg, int64(file.Mode()), len(file.Content), created)); err != nil {
			return nil, err
		}
		if _, err := out.Write(file.Content); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	})
}

func header(name string, kind byte, mode int64, size int, created time.Time) *tar.Header {
	return &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Typeflag: kind, Mode: mode, Size: int64(size),
		ModTime: created, Format: tar.FormatPAX,
	}
}

// parents returns the folders that a file is in, the outermost first.
func parents(file string) []string {
	folder := path.Dir(file)
	if folder == "/" {
		return nil
	}
	return append(parents(folder), folder)
}
