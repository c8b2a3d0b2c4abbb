// Package rootfs says what files the image holds, beside the program: the accounts
// and the roots of trust. Both ways to make the image take them from here.
package rootfs

import (
	"bytes"
	_ "embed"
	"encoding/pem"
	"io/fs"
	"path"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

var (
	//go:embed etc/passwd
	passwd []byte
	//go:embed etc/group
	group []byte
)

// File is a regular file, which belongs to root and which all may read.
type File struct {
	Path       string // absolute
	Content    []byte
	Executable bool
}

// Mode returns the file's permissions.
func (f File) Mode() fs.FileMode {
	if f.Executable {
		return 0o755
	}
	return 0o644
}

// Files returns all files of the image of a program, sorted by path. The program is
// in the root folder, under the name given.
func Files(name string, program []byte) []File {
	return []File{
		{Path: "/etc/group", Content: group},
		{Path: "/etc/passwd", Content: passwd},
		{Path: "/etc/ssl/certs/ca-certificates.crt", Content: Roots()},
		{Path: path.Join("/", name), Content: program, Executable: true},
	}
}

// Roots returns the certificate authorities that Mozilla trusts, in PEM, of the
// version in go.mod: not those of the machine that builds. An authority that is
// trusted under a condition only, such as a date, is left out, for a PEM file can't
// say that.
func Roots() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A buffer takes all, and a block with no headers is always valid.
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}
