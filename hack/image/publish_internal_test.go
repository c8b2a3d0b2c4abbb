package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The release's scripts push the images of both processors and the chart to a registry, and
// have cosign sign just that. Cosign itself is a stand-in that notes what it is asked for: a
// keyless signature needs the identity of a run on GitHub.
func TestPublish(t *testing.T) {
	t.Parallel()
	p := newPublication(t)
	p.script(t, "publish.sh")
	p.script(t, "sign.sh")
	var index v1.IndexManifest
	var chart v1.Manifest

	want := []string{
		"sign --yes --recursive " + p.image + "@" + p.manifest(t, p.image+":"+p.version, &index),
		"sign --yes " + p.charts + "/reims-health@" + p.manifest(t, p.charts+"/reims-health:"+p.version, &chart),
	}
	for _, m := range index.Manifests {
		bill := filepath.Join(p.dist, "reims-health-"+p.version+"-linux-"+m.Platform.Architecture+".cdx.json")
		if _, err := os.Stat(bill); err != nil {
			t.Error(err)
		}
		want = append(want, "attest --yes --type cyclonedx --predicate "+bill+" "+p.image+"@"+m.Digest.String())
	}
	signed, err := os.ReadFile(filepath.Join(p.dist, "cosign.log"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(signed)), "\n")); diff != "" {
		t.Errorf("cosign (-want +got):\n%s", diff)
	}
	if len(index.Manifests) != 2 || chart.Config.MediaType != "application/vnd.cncf.helm.config.v1+json" {
		t.Errorf("%d images, want one per processor; the chart's configuration is %s", len(index.Manifests), chart.Config.MediaType)
	}
}

// publication is a registry on loopback, and a folder with what a release makes.
type publication struct {
	dist, version, image, charts string
	env                          []string
}

func newPublication(t *testing.T) *publication {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	p := &publication{dist: t.TempDir(), image: host + "/reims/reims-health", charts: host + "/reims/charts"}
	chart, err := os.ReadFile("../../charts/reims-health/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(chart)) {
		if v, ok := strings.CutPrefix(line, "version: "); ok {
			p.version = strings.TrimSpace(v)
		}
	}
	args := []string{
		"-name", p.image + ":" + p.version, "-created", created, "-dockerfile", "../../Dockerfile",
		"-out", filepath.Join(p.dist, "image.oci.tar"), "-sbom", p.dist,
	}
	for _, arch := range []string{"amd64", "arm64"} {
		file := sample(t, arch)
		named := filepath.Join(filepath.Dir(file), "reims-health")
		if err := os.Rename(file, named); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-binary", named)
	}
	if err := run(args, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	cosign := "#!/bin/sh\necho \"$*\" >> '" + p.dist + "/cosign.log'\n"
	if err := os.WriteFile(filepath.Join(p.dist, "cosign"), []byte(cosign), 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "IMAGE="+p.image, "CHARTS="+p.charts, "PLAIN_HTTP=1", "HOME="+p.dist, "PATH="+p.dist+":"+os.Getenv("PATH"))
	pack := exec.CommandContext(t.Context(), "../../bin/chart/helm4", "package", "../../charts/reims-health", "--destination", p.dist)
	pack.Env = p.env
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("pack the chart (make chart-build makes the program): %v\n%s", err, out)
	}
	return p
}

func (p *publication) script(t *testing.T, name string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../"+name, p.version, p.dist)
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s (make servers-build installs skopeo and jq): %v\n%s", name, err, out)
	}
}

// manifest asks the registry for what a reference names, as any client does.
func (p *publication) manifest(t *testing.T, reference string, into any) (digest string) {
	t.Helper()
	host, rest, _ := strings.Cut(reference, "/")
	repository, tag, _ := strings.Cut(rest, ":")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/v2/"+repository+"/manifests/"+tag, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", string(types.OCIImageIndex)+", "+string(types.OCIManifestSchema1))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", reference, response.Status, err)
	}
	return response.Header.Get("Docker-Content-Digest")
}
