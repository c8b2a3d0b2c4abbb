package main

import (
	"os"
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
	if len(found) != 2 || found["std"] != 1 || found[rootsModule] != 1 {
		t.Errorf("components %v, want Go's library and the roots", found)
	}
}
