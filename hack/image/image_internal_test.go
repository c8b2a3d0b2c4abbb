package main

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/reims/reims-health/hack/image/rootfs"
)

const created = "2026-11-22T01:02:03Z"

// One image for two platforms, under the name that runtimes look for.
func TestSeveralPlatforms(t *testing.T) {
	t.Parallel()
	file, shown := pack(t, "-binary", sample(t, "amd64"), "-binary", sample(t, "arm64"),
		"-name", "example.org/team/sample:v1.2.3", "-created", created, "-dockerfile", "../../Dockerfile")
	outer, err := open(t, file).IndexManifest()
	if err != nil || len(outer.Manifests) != 1 {
		t.Fatalf("%v in %v", err, outer)
	}
	want := map[string]string{"io.containerd.image.name": "example.org/team/sample:v1.2.3", "org.opencontainers.image.ref.name": "v1.2.3"}
	if diff := cmp.Diff(want, outer.Manifests[0].Annotations); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if digest := outer.Manifests[0].Digest.String(); !strings.Contains(shown, digest) {
		t.Errorf("shown: %s, want the digest %s", shown, digest)
	}
	index, err := open(t, file).ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	inner, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range inner.Manifests {
		platforms = append(platforms, m.Platform.String())
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if config, err := image.ConfigFile(); err != nil || config.Architecture != m.Platform.Architecture {
			t.Errorf("%s holds an image for %s (%v)", m.Platform, config.Architecture, err)
		}
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if inner.Annotations["org.opencontainers.image.licenses"] != "Apache-2.0" {
		t.Errorf("annotations %v are not the labels", inner.Annotations)
	}
}

func TestWithoutADockerfile(t *testing.T) {
	t.Parallel()
	image := single(t, "-binary", sample(t, "arm64"), "-name", "sample:1", "-created", created)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{User: "65532:65532", Entrypoint: []string{"/sample"}}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := config.Created.Format("2006-01-02T15:04:05Z07:00"); got != created || config.OS != "linux" || config.Architecture != "arm64" {
		t.Errorf("created %s for %s/%s", got, config.OS, config.Architecture)
	}
}

// All belongs to root, nobody else may write, and the program runs.
func TestFiles(t *testing.T) {
	t.Parallel()
	image := single(t, "-binary", sample(t, "amd64"), "-name", "sample:1", "-created", created)
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var got []string
	for in := tar.NewReader(content); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%o %d:%d %s %s", h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format("15:04:05"), h.Name))
	}
	want := []string{
		"755 0:0 01:02:03 etc/",
		"644 0:0 01:02:03 etc/group",
		"644 0:0 01:02:03 etc/passwd",
		"755 0:0 01:02:03 etc/ssl/",
		"755 0:0 01:02:03 etc/ssl/certs/",
		"644 0:0 01:02:03 etc/ssl/certs/ca-certificates.crt",
		"755 0:0 01:02:03 sample",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRootsAreRootsOfTrust(t *testing.T) {
	t.Parallel()
	roots := rootfs.Roots()
	if !x509.NewCertPool().AppendCertsFromPEM(roots) || strings.Count(string(roots), "BEGIN CERTIFICATE") < 100 {
		t.Errorf("%d bytes are no list of authorities", len(roots))
	}
}

func single(t *testing.T, args ...string) v1.Image {
	t.Helper()
	file, _ := pack(t, args...)
	index := open(t, file)
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("%v in %s", err, filepath.Base(file))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	return image
}
