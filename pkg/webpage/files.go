package webpage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"strings"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// A page is one document, one style sheet, one script and one icon per state. Nothing is loaded
// from other hosts, and nothing is built.
var (
	//go:embed assets/page.css
	pageCSS []byte
	//go:embed assets/page.js
	pageJS []byte
	//go:embed assets/icon*.svg
	pageIcons embed.FS
)

// headers are the headers of pages and files. Script and style sheet are files, so
// that the policy need not allow inline ones.
var headers = map[string][]string{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

var (
	contentHTML = []string{"text/html; charset=utf-8"}
	noStore     = []string{"no-store"}
	// forever is the caching of files whose name changes with their content.
	forever = []string{"public, max-age=31536000, immutable"}
)

// Files are the files that a page loads. The name of each changes with its content. Files is
// immutable.
type Files struct {
	responses map[string]*rendered.Response // by path
	Links     Links
}

// Links are relative to /, so that a page works below any path of a proxy.
type Links struct {
	Style, Script, Brand string
	Icons                map[string]string // by the state's class
}

// NewFiles returns the files of a page. The given style sheets follow the shared one.
func NewFiles(styles ...[]byte) *Files {
	f := &Files{responses: map[string]*rendered.Response{}}
	f.Links = Links{
		Style:  f.add("page.css", "text/css; charset=utf-8", bytes.Join(append([][]byte{pageCSS}, styles...), nil)),
		Script: f.add("page.js", "text/javascript; charset=utf-8", pageJS),
		Brand:  f.addIcon("icon.svg"),
		Icons:  map[string]string{},
	}
	for _, status := range health.Statuses() {
		f.Links.Icons[status.String()] = f.addIcon("icon-" + status.String() + ".svg")
	}
	return f
}

// add adds a file under a name with a hash of its content, and returns the link.
func (f *Files) add(name, contentType string, content []byte) string {
	hash := sha256.Sum256(content)
	extension := path.Ext(name)
	link := "assets/" + strings.TrimSuffix(name, extension) + "-" + hex.EncodeToString(hash[:6]) + extension
	f.responses["/"+link] = rendered.New(http.StatusOK, []string{contentType}, content)
	return link
}

func (f *Files) addIcon(name string) string {
	content, _ := pageIcons.ReadFile("assets/" + name) // embedded; a test requests each
	return f.add(name, "image/svg+xml", content)
}

// Serves reports whether a path is one of the files.
func (f *Files) Serves(path string) bool { return f.responses[path] != nil }

// Serve responds to a GET or HEAD of a path for which Serves reports true.
func (f *Files) Serve(w http.ResponseWriter, r *http.Request, path string) {
	maps.Copy(w.Header(), headers)
	w.Header()["Cache-Control"] = forever
	f.responses[path].Write(w, r)
}

// Page returns the response for a rendered document. [WritePage] writes it.
func Page(code int, body []byte) *rendered.Response { return rendered.New(code, contentHTML, body) }

// WritePage responds to a GET or HEAD with a page.
func WritePage(w http.ResponseWriter, r *http.Request, page *rendered.Response) {
	maps.Copy(w.Header(), headers)
	w.Header()["Cache-Control"] = noStore
	page.Write(w, r)
}

// Below returns the links for a page whose relative path to / is root, such as "../../".
func (l Links) Below(root string) Links {
	below := Links{Style: root + l.Style, Script: root + l.Script, Brand: root + l.Brand, Icons: map[string]string{}}
	for class, link := range l.Icons {
		below.Icons[class] = root + link
	}
	return below
}
