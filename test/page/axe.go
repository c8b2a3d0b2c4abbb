package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// axeSource returns axe-core's source, of the version in hack/tools/page, which npm
// installs beside its package.json if it is not there.
func axeSource(ctx context.Context) (string, error) {
	root, err := servers.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "hack", "tools", "page")
	axe := filepath.Join(dir, "node_modules", "axe-core")
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
	err = readJSON(filepath.Join(axe, "package.json"), &installed)
	if err != nil || installed.Version != wanted.DevDependencies["axe-core"] {
		if err := npmCI(ctx, dir); err != nil {
			return "", err
		}
	}
	source, err := os.ReadFile(filepath.Join(axe, "axe.min.js"))
	return string(source), err
}

func npmCI(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("install axe-core: npm is not there (%w); run this and try again: sudo apt-get install -y npm", err)
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install axe-core: %w\n%s", err, out)
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

// Violations runs axe-core, with all its rules, on what a tab shows.
func Violations(tab context.Context) ([]string, error) {
	source, err := axeSource(tab)
	if err != nil {
		return nil, err
	}
	if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](source)); err != nil {
		return nil, err
	}
	type result struct {
		Passes     int
		Violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
	}
	r, err := chromedp.Run(tab, chromedp.Evaluate[result](
		`axe.run().then(r => ({passes: r.passes.length, violations: r.violations}))`,
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) },
	))
	if err != nil {
		return nil, err
	}
	if r.Passes < 10 {
		return nil, errors.New("axe-core hardly found anything to check")
	}
	var found []string
	for _, v := range r.Violations {
		for _, n := range v.Nodes {
			found = append(found, fmt.Sprintf("%s (%s): %s: %s", v.ID, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " ")))
		}
	}
	return found, nil
}
