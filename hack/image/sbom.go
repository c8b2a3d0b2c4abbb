package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
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
	if err := encoder.EncodeVersion(newSBOM(p, version, created), cdx.SpecVersion1_6); err != nil {
		return "", err
	}
	file = filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.cdx.json", p.name, version, p.platform.OS, p.platform.Architecture))
	return file, os.WriteFile(file, text.Bytes(), 0o644)
}

func newSBOM(p program, version string, created time.Time) *cdx.BOM {
	bom := cdx.NewBOM()
	main := module(p.info.Main.Path, version)
	main.Type = cdx.ComponentTypeApplication
	sum := sha256.Sum256(p.content)
	main.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	bom.Metadata = &cdx.Metadata{Timestamp: created.Format(time.RFC3339), Component: &main}
	components := []cdx.Component{module("std", strings.TrimPrefix(p.info.GoVersion, "go"))}
	for _, dep := range p.info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		components = append(components, module(dep.Path, dep.Version))
	}
	if roots := rootsOfTrust(); !slices.ContainsFunc(components, func(c cdx.Component) bool { return c.BOMRef == roots.BOMRef }) {
		components = append(components, roots)
	}
	bom.Components = &components
	return bom
}

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
