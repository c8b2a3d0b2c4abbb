package check

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// verbose judges the plain-text form of an endpoint, whose last line has its name. It
// must have a line for each of the names.
func (j *judge) verbose(a *Answer, endpoint string, names []string) finding {
	var f finding
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		f.wrong("the type is %q: want text/plain", kind)
		return f
	}
	f.want(a.Code == http.StatusOK || a.Code == http.StatusServiceUnavailable, "the code is %d: want 200 or 503", a.Code)
	f.down = a.Code != http.StatusOK
	lines := strings.Split(strings.TrimSuffix(string(a.Body), "\n"), "\n")
	verdict, bad := "passed", 0
	if f.down {
		verdict = "failed"
	}
	last := fmt.Sprintf("%s check %s", endpoint, verdict)
	f.want(lines[len(lines)-1] == last, "the last line is %q: want %q", lines[len(lines)-1], last)
	f.want(len(lines) <= maxKeys, "there are %d lines: want no more than %d", len(lines), maxKeys)
	for i, line := range lines[:min(len(lines), maxKeys)-1] {
		if strings.HasPrefix(line, "[-]") {
			bad++
			f.note = strings.Join(NonEmpty(f.note, Printable(line)), "; ")
		}
		f.want(strings.HasPrefix(line, "[+]") || strings.HasPrefix(line, "[-]"), "line %d is %q: want [+] or [-]", i+1, line)
	}
	for _, name := range names {
		f.want(slices.ContainsFunc(lines, func(line string) bool { return lineOn(line, name) }), "there is no line on %s", name)
	}
	if f.note == "" {
		f.note = fmt.Sprintf("%d lines, %s", len(lines), verdict)
	}
	return f
}

func lineOn(line, name string) bool {
	return strings.HasPrefix(line, "[+]"+name+" ") || strings.HasPrefix(line, "[-]"+name+" ")
}

// unknown judges the answer for a service that does not exist.
func (j *judge) unknown(a *Answer) finding {
	var (
		f finding
		u unknownPath
	)
	if !f.decode(a, &u, "success", "error", "paths") {
		return f
	}
	f.want(a.Code == http.StatusNotFound, "the code is %d: want 404", a.Code)
	f.want(!u.Success, "success is true")
	for _, name := range j.health.Services.Keys() {
		f.want(slices.Contains(u.Paths, "/health/"+name), "/health/%s is not among the paths that it lists", name)
	}
	f.want(len(u.Paths) <= maxKeys, "it lists %d paths: want no more than %d", len(u.Paths), maxKeys)
	j.paths = nil
	for _, path := range u.Paths[:min(len(u.Paths), maxKeys)] {
		j.paths = append(j.paths, Printable(path))
	}
	f.note = "no such service; all paths are listed"
	return f
}

// token judges whether the token counts: an answer that it opens names things.
func (j *judge) token(h *Health) finding {
	var f finding
	switch {
	case len(h.Details) == 0:
		f.note = "no details for anybody: HEALTH_DETAILS=off"
	case j.kinds.withheld(h):
		f.wrong("the token is not HEALTH_TOKEN: names and messages are withheld, as from anybody")
	default:
		f.note = "accepted, or not needed: nothing is withheld"
	}
	return f
}
