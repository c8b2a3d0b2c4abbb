package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page's files
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// The page is one document, one style sheet, one script and one icon. Nothing comes
// from elsewhere, and nothing is built.
var (
	//go:embed assets/page.css
	pageCSS []byte
	//go:embed assets/page.js
	pageJS []byte
	//go:embed assets/icon.svg
	pageIcon []byte
)

// pageHeaders come with the page and its files. Its script and style are files, so
// that none has to be allowed inline.
var pageHeaders = map[string][]string{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

var (
	contentHTML = []string{"text/html; charset=utf-8"}
	// forGood is for files whose name changes with their content.
	forGood = []string{"public, max-age=31536000, immutable"}
)

// pageAge is how old the page may be that a reader is given, while no result comes
// in: it tells times such as "for 12 s".
const pageAge = time.Second

// statusPage is the page for people at /. It is rendered when somebody asks, at most
// once per second and once per view, and shows what anonymous readers may see. Each
// rendering tells another moment, by which the script knows it from a repeated one.
type statusPage struct {
	source  Source
	options Options
	files   map[string]*answer // by path
	links   pageLinks
	latest  memo[*answer]
}

// pageLinks are relative, so that the page works below any path of a proxy.
type pageLinks struct{ Style, Script, Icon string }

func newStatusPage(source Source, options Options, published *atomic.Pointer[health.View]) *statusPage {
	p := &statusPage{source: source, options: options, files: map[string]*answer{}}
	p.links = pageLinks{
		Style:  p.addFile("page.css", "text/css; charset=utf-8", pageCSS),
		Script: p.addFile("page.js", "text/javascript; charset=utf-8", pageJS),
		Icon:   p.addFile("icon.svg", "image/svg+xml", pageIcon),
	}
	p.latest = memo[*answer]{published: published, produce: p.render}
	return p
}

// addFile serves a file under a name that holds a hash of it, and returns the link.
func (p *statusPage) addFile(name, contentType string, content []byte) string {
	hash := sha256.Sum256(content)
	extension := path.Ext(name)
	link := "assets/" + strings.TrimSuffix(name, extension) + "-" + hex.EncodeToString(hash[:6]) + extension
	p.files["/"+link] = newAnswer(http.StatusOK, []string{contentType}, content)
	return link
}

// serve answers the page's paths, and reports whether this is one.
func (p *statusPage) serve(w http.ResponseWriter, r *http.Request, path string) bool {
	file := p.files[path]
	if file == nil && path != "" {
		return false
	}
	header := w.Header()
	maps.Copy(header, pageHeaders)
	if file != nil {
		header["Cache-Control"] = forGood
		write(w, r, file)
	} else {
		write(w, r, p.latest.get())
	}
	return true
}

func (p *statusPage) render(v *health.View, now time.Time) (page *answer, until time.Time) {
	v = v.At(now)
	until = now.Add(pageAge)
	if t := v.Until(); !t.IsZero() && t.Before(until) {
		until = t
	}
	var body bytes.Buffer
	_ = p.view(v, now).markup().Render(&body) // a buffer takes everything
	return newAnswer(http.StatusOK, contentHTML, body.Bytes()), until
}
