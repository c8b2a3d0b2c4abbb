package dependency

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/config"
)

// ApplicationURL is the state of a variable such as DATABASE_URL: a URL that applications
// use, with address and login. It is used only if no variable of the address is set. The
// settings of a kind with such a variable, {NAME}_URL, have one.
type ApplicationURL struct {
	ignored bool                   // it is set and not used
	problem string                 // why it cannot be used
	given   func(name string) bool // whether a variable is set
	derived map[string]string      // see [config.Deriver]
}

// ApplicationFormat returns the format of the variable. It accepts any text: a URL that only
// other clients understand is ignored with a warning, and does not prevent the start.
func ApplicationFormat(words string) config.Format {
	return config.Format{
		Words:   words,
		Is:      "such a URL: see docs/configuration.md",
		Pattern: `(?s)^.*$`,
		Check:   func(text string) (string, error) { return text, nil },
		Secrets: passwordOf,
		Trimmed: true,
	}
}

// passwordOf returns the password of a URL, even if the URL is ignored.
func passwordOf(text string) []string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password}
}

// Complete decides whether the URL is used, for [config.Completer]. It is ignored if one of
// the variables of the address is set, or if use returns an error. A URL in a file is read
// at each check: see [ApplicationURL.Rotating].
func (a *ApplicationURL) Complete(variable config.Secret, given func(name string) bool, address []string, use func(text string) error) {
	a.given = given
	if !variable.Given() {
		return
	}
	a.ignored = slices.ContainsFunc(address, given)
	if a.ignored || variable.File() != "" {
		return
	}
	text, _ := variable.Read() // not from a file, so there is no error
	if err := use(text); err != nil {
		a.ignored, a.problem = true, err.Error()
	}
}

// Given reports whether a variable is set. It is false before Complete.
func (a *ApplicationURL) Given(name string) bool { return a.given != nil && a.given(name) }

// Derive notes that the URL sets the values of these variables.
func (a *ApplicationURL) Derive(names ...string) {
	derived := make(map[string]string, len(a.derived)+len(names)) // a copy of the settings has the old one
	for name := range a.derived {
		derived[name] = "URL"
	}
	for _, name := range names {
		derived[name] = "URL"
	}
	a.derived = derived
}

// Derived returns the result for [config.Deriver].
func (a *ApplicationURL) Derived() map[string]string { return a.derived }

// Rules returns the warnings about an ignored URL. Address is the text for the variables that
// are set instead.
func (a *ApplicationURL) Rules(prefix, address string) []config.Rule {
	return []config.Rule{
		{
			Variables: []string{prefix + "URL", prefix + "HOST"},
			Broken:    func() bool { return a.ignored && a.problem == "" },
			Text:      "ignored, because the address is set by " + address + ": leave these out to use it",
			Warning:   true,
		},
		{
			Variables: []string{prefix + "URL"},
			Broken:    func() bool { return a.problem != "" },
			Text:      "ignored, because it is not such a URL as the sidecar takes (" + a.problem + "): set " + prefix + "HOST and the others",
			Warning:   true,
		},
	}
}

// InFile reports whether the URL is used and is in a file.
func (a *ApplicationURL) InFile(variable config.Secret) bool {
	return variable.File() != "" && !a.ignored
}

// Rotating returns a checker that reads the URL from the file at each check.
func (*ApplicationURL) Rotating(variable config.Secret, i Instance, checker func(text string) (Checker, error)) *Rotating {
	return &Rotating{Read: variable.Read, New: checker, Variable: i.Prefix + "URL_FILE", Certificates: i.Certificates}
}
