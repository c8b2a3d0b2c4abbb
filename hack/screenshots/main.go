// Screenshots takes pictures of the status page: healthy, degraded, unhealthy, held,
// starting and with many services, light and dark, 390, 768 and 1280 wide, of real sidecars with real
// servers.
//
//	go run ./hack/screenshots              all of them, into dist/screenshots
//	go run ./hack/screenshots -for 20s     sooner, with less of a past to show
//	go run ./hack/screenshots -docs        and those of the documents, into docs/images
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/reims/reims-health/hack/command"
	"github.com/reims/reims-health/test/page"
	"github.com/reims/reims-health/test/servers"
)

// inDocuments are the pictures that README.md and docs show.
var inDocuments = map[string]bool{
	"healthy-light-1280": true, "healthy-dark-1280": true, "unhealthy-light-1280": true, "unhealthy-dark-390": true,
	"held-light-1280": true, "many-light-1280": true,
}

func main() {
	past := flag.Duration("for", 150*time.Second, "how long the sidecars run before the pictures")
	docs := flag.Bool("docs", false, "write those of the documents as well")
	flag.Parse()
	command.Main("screenshots", func(ctx context.Context) error { return run(ctx, *past, *docs) })
}

func run(ctx context.Context, past time.Duration, docs bool) (err error) {
	root, err := servers.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "reims-health-screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as another user
		return err
	}
	s := &stage{dir: dir}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.set(ctx, past); err != nil {
		return err
	}
	browser, closeBrowser, err := page.Launch(ctx, filepath.Join(dir, "browser"))
	if err != nil {
		return err
	}
	defer closeBrowser()
	folders := []string{filepath.Join(root, "dist", "screenshots")}
	if docs {
		folders = append(folders, filepath.Join(root, "docs", "images"))
	}
	for _, scene := range []string{"healthy", "degraded", "unhealthy", "held", "many", "starting"} {
		url, err := s.play(scene)
		if err != nil {
			return fmt.Errorf("%s: %w", scene, err)
		}
		if err := shoot(browser, url, scene, folders); err != nil {
			return fmt.Errorf("%s: %w", scene, err)
		}
	}
	return nil
}

// shoot takes the six pictures of one scene.
func shoot(browser context.Context, url, scene string, folders []string) error {
	tab, _, err := page.Open(browser, url, page.View{Width: 1280})
	if err != nil {
		return err
	}
	defer func() { _ = chromedp.Cancel(tab) }()
	for _, width := range []int64{1280, 768, 390} {
		for _, dark := range []bool{false, true} {
			view := page.View{Width: width, Dark: dark}
			if err := page.Look(tab, view); err != nil {
				return err
			}
			picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			if err != nil {
				return err
			}
			if err := keep(picture, scene+"-"+view.String(), folders); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep writes a picture to the first folder and, if it is one of the documents', to
// the others.
func keep(picture []byte, name string, folders []string) error {
	picture, err := shrink(picture)
	if err != nil {
		return err
	}
	for i, folder := range folders {
		if i > 0 && !inDocuments[name] {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		path := filepath.Join(folder, name+".png")
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			return err
		}
		fmt.Println(path, len(picture))
	}
	return nil
}
