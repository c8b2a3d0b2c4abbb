package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// rootsModule is where the image's roots of trust come from.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// writeSBOM writes what the image of one platform is made of, as CycloneDX. All of
// it is from the binary itself, which records the modules that were linked into it:
// a go.mod names more than those, for other platforms and for tests.
func writeSBOM(dir string, p program, version string, created time.Time) (file string, err error) {
	var text bytes.Buffer
	encoder := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true)
	bom, err := newSBOM(p, version, created)
	if err != nil {
		return "", err
	}
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return "", err
	}
	file = filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.cdx.json", p.name, version, p.platform.OS, p.platform.Architecture))
	return file, os.WriteFile(file, text.Bytes(), 0o644)
}

func newSBOM(p program, version string, created time.Time) (*cdx.BOM, error) {
	components, err := modules(p.info)
	if err != nil {
		return nil, err
	}
	bom := cdx.NewBOM()
	main := application(p.info.Main.Path, version)
	sum := sha256.Sum256(p.content)
	main.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	bom.Metadata = &cdx.Metadata{Timestamp: created.Format(time.RFC3339), Component: &main}
	if roots := rootsOfTrust(); !slices.ContainsFunc(components, func(c cdx.Component) bool { return c.BOMRef == roots.BOMRef }) {
		components = append(components, roots)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: references(components)}}
	return bom, nil
}

// modules returns Go's library and all modules that were linked in.
func modules(info *debug.BuildInfo) ([]cdx.Component, error) {
	components := []cdx.Component{module("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, dep := range info.Deps {
		if r := dep.Replace; r != nil {
			if r.Version == "" {
				return nil, fmt.Errorf("list what is in the program: %s was replaced by the folder %s, which has no version that others could look up: build without that replace", dep.Path, r.Path)
			}
			dep = r
		}
		components = append(components, module(dep.Path, dep.Version))
	}
	return components, nil
}

// references has all components: the binary does not tell which of them needs which,
// only that the program has them all.
func references(components []cdx.Component) *[]string {
	var all []string
	for _, c := range components {
		all = append(all, c.BOMRef)
	}
	return &all
}

// application is the program itself. Its URL has no version but a release's: others,
// such as 26e8a64-dirty, name nothing that a proxy of modules has.
func application(path, version string) cdx.Component {
	c := module(path, version)
	c.Type = cdx.ComponentTypeApplication
	if !release.MatchString(version) {
		c.PackageURL, _, _ = strings.Cut(c.PackageURL, "@")
		c.BOMRef = c.PackageURL
	}
	return c
}

var release = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?$`)

func module(path, version string) cdx.Component {
	url := fmt.Sprintf("pkg:golang/%s@%s", path, version)
	return cdx.Component{
		BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url,
	}
}

// rootsOfTrust is the module that this very program has its roots from.
func rootsOfTrust() cdx.Component {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == rootsModule {
				version = dep.Version
			}
		}
	}
	c := module(rootsModule, version)
	c.Type = cdx.ComponentTypeData
	return c
}
