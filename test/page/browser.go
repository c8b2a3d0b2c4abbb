package page

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/reims/reims-health/test/servers/install"
)

// Launch starts a headless Chromium with a profile of its own in dir, and installs it
// if need be. It ends with stop. The returned context is for [Open].
func Launch(ctx context.Context, dir string) (browser context.Context, stop func(), err error) {
	program, err := install.Chromium(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.WSURLReadTimeout(time.Minute), // a loaded machine is no failure
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, cancel := chromedp.NewContext(allocator)
	stop = func() {
		cancel()
		stopAllocator()
	}
	if err := chromedp.Do(browser); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	return browser, stop, nil
}

// View is how a page is looked at.
type View struct {
	Width    int64
	Dark     bool
	Print    bool // as on paper
	NoScript bool
}

// String is also the end of a picture's name.
func (v View) String() string {
	if v.Print {
		return fmt.Sprintf("print-%d", v.Width)
	}
	return fmt.Sprintf("%s-%d", v.theme(), v.Width)
}

func (v View) theme() string {
	if v.Dark {
		return "dark"
	}
	return "light"
}

func (v View) apply() []chromedp.Action[chromedp.Void] {
	media := ""
	if v.Print {
		media = "print"
	}
	return []chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(v.Width, 900),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.theme()}},
			})
			return err
		}),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript})
			return err
		}),
	}
}

// Journal is what a page did that a person doesn't see.
type Journal struct {
	mu       sync.Mutex
	console  []string // errors, warnings, exceptions
	requests []string // URLs
}

// Console returns what was reported as wrong, so far.
func (j *Journal) Console() []string { return j.copy(&j.console) }

// Requests returns the addresses that were asked for, so far.
func (j *Journal) Requests() []string { return j.copy(&j.requests) }

func (j *Journal) copy(lines *[]string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, *lines...)
}

func (j *Journal) note(event any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		j.requests = append(j.requests, e.Request.URL)
	case *log.EventEntryAdded:
		j.console = append(j.console, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		j.console = append(j.console, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		j.console = append(j.console, "console: "+string(e.Type))
	}
}

// Open shows an address in a tab of its own, in a profile that shares nothing with
// others. The tab's context ends with the browser's.
func Open(browser context.Context, url string, v View) (tab context.Context, journal *Journal, err error) {
	tab, _ = chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	journal = &Journal{}
	if err := chromedp.Listen(tab, journal.note); err != nil {
		return nil, nil, err
	}
	steps := append(v.apply(), chromedp.Navigate(url))
	if err := chromedp.Do(tab, steps...); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", url, err)
	}
	return tab, journal, nil
}

// Look changes how a tab is looked at.
func Look(tab context.Context, v View) error { return chromedp.Do(tab, v.apply()...) }

// Read returns the text of the element that a selector finds, its white space made
// single.
func Read(tab context.Context, selector string) (string, error) {
	text, err := chromedp.Run(tab, chromedp.Evaluate[string](
		fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	return strings.Join(strings.Fields(text), " "), err
}
