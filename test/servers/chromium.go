package servers

import (
	"context"
	"slices"
)

// The browser, and the letters that it draws with.
var chromiumPackages = []Package{
	{"chromium", []string{"/usr/bin/chromium"}, nil},
	{"fonts-inter", []string{"/usr/share/fonts/opentype/inter/Inter-Regular.otf"}, nil},
}

// InstallChromium returns the path of Debian's Chromium, and installs it when it is
// missing.
func InstallChromium(ctx context.Context, o Options) (string, error) {
	return chromiumPackages[0].any[0], Install(ctx, o, slices.Clone(chromiumPackages)...)
}
