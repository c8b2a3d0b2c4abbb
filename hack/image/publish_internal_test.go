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

// The release's scripts push the images of both processors and the charts to a registry, and
// have cosign sign just that. Cosign itself is a stand-in that notes what it is asked for: a
// keyless signature needs the identity of a run on GitHub.
func TestPublish(t *testing.T) {
	t.Parallel()
	p := newPublication(t)
	p.script(t, "publish.sh")
	p.script(t, "sign.sh")
	var want []string
	for _, product := range products {
		name := product.name
		var chart v1.Manifest
		want = append(want, "sign --yes "+p.charts+"/"+name+"@"+p.manifest(t, p.charts+"/"+name+":"+p.version, &chart))
		if chart.Config.MediaType != "application/vnd.cncf.helm.config.v1+json" {
			t.Errorf("%s: the chart's configuration is %s", name, chart.Config.MediaType)
		}
	}
	for _, product := range products {
		name := product.name
		var index v1.IndexManifest
		image := p.images + "/" + name
		want = append(want, "sign --yes --recursive "+image+"@"+p.manifest(t, image+":"+p.version, &index))
		for _, m := range index.Manifests {
			bill := filepath.Join(p.dist, name+"-"+p.version+"-linux-"+m.Platform.Architecture+".cdx.json")
			if _, err := os.Stat(bill); err != nil {
				t.Error(err)
			}
			want = append(want, "attest --yes --type cyclonedx --predicate "+bill+" "+image+"@"+m.Digest.String())
		}
		if len(index.Manifests) != 2 {
			t.Errorf("%s: %d images, want one per processor", name, len(index.Manifests))
		}
	}
	signed, err := os.ReadFile(filepath.Join(p.dist, "cosign.log"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(signed)), "\n")); diff != "" {
		t.Errorf("cosign (-want +got):\n%s", diff)
	}
}

// products are the programs, each with an image and a chart of its name, and the stage of the
// Dockerfile that makes its image.
var products = []struct{ name, stage string }{{"reims-health", ""}, {"reims-health-fleet", "fleet"}}

// publication is a registry on loopback, and a folder with what a release makes.
type publication struct {
	dist, version, images, charts string
	env                           []string
}

func newPublication(t *testing.T) *publication {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	p := &publication{dist: t.TempDir(), images: host + "/reims", charts: host + "/reims/charts"}
	chart, err := os.ReadFile("../../charts/reims-health/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(chart)) {
		if v, ok := strings.CutPrefix(line, "version: "); ok {
			p.version = strings.TrimSpace(v)
		}
	}
	for _, product := range products {
		args := []string{
			"-name", p.images + "/" + product.name + ":" + p.version, "-created", created, "-dockerfile", "../../Dockerfile", "-stage", product.stage,
			"-out", filepath.Join(p.dist, product.name+".oci.tar"), "-sbom", p.dist,
		}
		for _, arch := range []string{"amd64", "arm64"} {
			file := sample(t, arch)
			named := filepath.Join(filepath.Dir(file), product.name)
			if err := os.Rename(file, named); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-binary", named)
		}
		if err := run(args, new(bytes.Buffer)); err != nil {
			t.Fatal(err)
		}
	}
	cosign := "#!/bin/sh\necho \"$*\" >> '" + p.dist + "/cosign.log'\n"
	if err := os.WriteFile(filepath.Join(p.dist, "cosign"), []byte(cosign), 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "IMAGE="+p.images+"/reims-health", "CHARTS="+p.charts, "PLAIN_HTTP=1", "HOME="+p.dist, "PATH="+p.dist+":"+os.Getenv("PATH"))
	pack := exec.CommandContext(t.Context(), "../../bin/chart/helm4", "package", "../../charts/reims-health", "../../charts/reims-health-fleet", "--destination", p.dist)
	pack.Env = p.env
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("pack the charts (make chart-build makes the program): %v\n%s", err, out)
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
