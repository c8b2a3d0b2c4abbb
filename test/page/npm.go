package page

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// fromNPM returns a file of a package of the version in hack/tools/page, which npm installs
// beside its package.json if it is not there.
func fromNPM(ctx context.Context, name, file string) (string, error) {
	root, err := servers.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "hack", "tools", "page")
	folder := filepath.Join(dir, "node_modules", name)
	var wanted struct{ DevDependencies map[string]string }
	var installed struct{ Version string }
	if err := readJSON(filepath.Join(dir, "package.json"), &wanted); err != nil {
		return "", err
	}
	unlock, err := install.Lock(ctx, nil, "axe-core") // two installations at once break each other
	if err != nil {
		return "", err
	}
	defer unlock()
	err = readJSON(filepath.Join(folder, "package.json"), &installed)
	if err != nil || installed.Version != wanted.DevDependencies[name] {
		if err := npmCI(ctx, dir); err != nil {
			return "", err
		}
	}
	source, err := os.ReadFile(filepath.Join(folder, file))
	return string(source), err
}

func npmCI(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("install the packages of %s: npm is not there (%w); run this and try again: sudo apt-get install -y npm", dir, err)
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install the packages of %s: %w\n%s", dir, err, out)
	}
	return nil
}

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}
