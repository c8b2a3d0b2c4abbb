package main

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func TestSBOM(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, shown := pack(t, "-binary", sample(t, "amd64"), "-binary", sample(t, "arm64"),
		"-name", "sample:v1.2.3", "-created", created, "-sbom", dir)
	for _, arch := range []string{"amd64", "arm64"} {
		path := dir + "/sample-v1.2.3-linux-" + arch + ".cdx.json"
		if !strings.Contains(shown, path) {
			t.Errorf("%s is not shown", path)
		}
		testSBOM(t, path)
	}
}

func testSBOM(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(f, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	main := bom.Metadata.Component
	if main.PackageURL != "pkg:golang/github.com/reims/reims-health/hack/image@v1.2.3" || len((*main.Hashes)[0].Value) != 64 || bom.Metadata.Timestamp != created {
		t.Errorf("made for %+v at %s", main, bom.Metadata.Timestamp)
	}
	found := map[string]int{}
	for _, c := range *bom.Components {
		found[c.Name]++
		if c.Version == "" || !strings.HasSuffix(c.PackageURL, "@"+c.Version) || strings.HasPrefix(c.Version, "go") {
			t.Errorf("%s has version %q and URL %s", c.Name, c.Version, c.PackageURL)
		}
	}
	graph := *bom.Dependencies
	if len(graph) != 1 || graph[0].Ref != main.BOMRef || len(*graph[0].Dependencies) != len(*bom.Components) {
		t.Errorf("graph %v", graph)
	}
	if len(found) != 2 || found["std"] != 1 || found[rootsModule] != 1 {
		t.Errorf("components %v, want Go's library and the roots", found)
	}
}

func TestOnlyReleasesHaveAVersionInTheirURL(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3": "pkg:golang/example.org/api@v1.2.3", "v1.2.3-rc.1": "pkg:golang/example.org/api@v1.2.3-rc.1",
		"26e8a64-dirty": "pkg:golang/example.org/api", "v1.2.3-4-gabcdef0": "pkg:golang/example.org/api",
	} {
		if c := application("example.org/api", version); c.PackageURL != want || c.BOMRef != want || c.Version != version {
			t.Errorf("%s: %+v, want the URL %s", version, c, want)
		}
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	replaced := func(by debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.org/a", Version: "v1.0.0", Replace: &by}}}
	}
	found, err := modules(replaced(debug.Module{Path: "example.org/fork", Version: "v1.0.1"}))
	if err != nil || len(found) != 2 || found[1].PackageURL != "pkg:golang/example.org/fork@v1.0.1" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := modules(replaced(debug.Module{Path: "../a"})); err == nil || !strings.Contains(err.Error(), "example.org/a was replaced by the folder ../a") {
		t.Errorf("%v, want one on the replace", err)
	}
}
