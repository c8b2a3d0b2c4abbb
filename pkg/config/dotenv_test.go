package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func TestEnvFileValues(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // line -> password
		`DATABASE_PASSWORD=simple`:                         `simple`,
		`export DATABASE_PASSWORD=exported`:                `exported`,
		`  DATABASE_PASSWORD = spaced  `:                   `spaced`,
		"DATABASE_PASSWORD=windows\r":                      `windows`,
		"\ufeffDATABASE_PASSWORD=marked":                   `marked`,
		`DATABASE_PASSWORD=pa$$word${HOME}`:                `pa$$word${HOME}`,
		`DATABASE_PASSWORD=in#side`:                        `in#side`,
		`DATABASE_PASSWORD=#fragment`:                      ``,
		`DATABASE_PASSWORD=value # comment`:                `value`,
		`DATABASE_PASSWORD=a"b'c\d`:                        `a"b'c\d`,
		`DATABASE_PASSWORD=a=b==`:                          `a=b==`,
		`DATABASE_PASSWORD='single # $x \n "q" ' # c`:      `single # $x \n "q" `,
		`DATABASE_PASSWORD="double # $x \n\"q\" \u00e9" #`: "double # $x \n\"q\" é",
		`DATABASE_PASSWORD=`:                               ``,
		`DATABASE_PASSWORD=""`:                             ``,
		`# DATABASE_PASSWORD=commented`:                    ``,
	}
	for line, want := range tests {
		file := writeFile(t, line+"\n\n")
		c, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: file})
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := read(t, database(c).Password); got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

func TestEnvFileProblems(t *testing.T) {
	t.Parallel()
	file := writeFile(t, strings.Join([]string{
		"REDIS_HOST=a",
		"hunter22",
		`DATABASE_PASSWORD="hunter22`,
		"DATABASE_PASSWORD='hunter22",
		`DATABASE_PASSWORD="hunter22\q"`,
		"=hunter22",
		"hunter22 hunter22=1",
		"REDIS_PASSWORD=hunter22\x01",
		"REDIS_HOST=b",
	}, "\n"))
	_, warnings, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: file})
	var all *config.Error
	if !errors.As(err, &all) {
		t.Fatalf("error %v", err)
	}
	var lines []string
	for _, p := range all.Problems {
		line, _, _ := strings.Cut(strings.TrimPrefix(p.String(), "--env-file: "), " of ")
		lines = append(lines, line)
	}
	want := []string{"line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(err.Error(), "hunter22") {
		t.Errorf("a secret is shown: %v", err)
	}
	if len(warnings) != 1 || warnings[0].Variable != "REDIS_HOST" {
		t.Errorf("warnings %v, want one of the second REDIS_HOST", warnings)
	}
}

func TestEnvFileTooLarge(t *testing.T) {
	t.Parallel()
	file := writeFile(t, strings.Repeat("# padding\n", 1<<20/10+1))
	_, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: file})
	if err == nil || !strings.Contains(err.Error(), "larger than 1024 KiB") {
		t.Errorf("error %v", err)
	}
}

// Whatever has neither a line break nor a single quote survives single quotes.
func TestEnvFileKeepsQuotedValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringMatching(`[ -&(-~é世]{0,40}`).Draw(r, "value")
		c, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: writeFile(t, "DATABASE_PASSWORD='"+value+"'")})
		if err != nil {
			r.Fatal(err)
		}
		if got := read(t, database(c).Password); got != value {
			r.Fatalf("%q became %q", value, got)
		}
	})
}

// No content ends the process, is half accepted, or shows up in the report on the
// file. Every Z becomes a canary.
func FuzzEnvFile(f *testing.F) {
	f.Add("A=Z\nexport B='Z'\n# c\nDATABASE_PASSWORD=\"Z\\u0000\"\n")
	f.Add("Z\n=Z\nREDIS_PORT=Z\r\n\"Z\n'Z=Z'Z")
	f.Add("REDIS_PASSWORD='Z\nOLLAMA_HOST=http://Z:Z@x:Z\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := writeFile(t, strings.ReplaceAll(text, "Z", canary))
		c, _, err := config.Load(config.Options{Services: registry.Kinds().Services(), Named: registry.Kinds().Named, EnvFile: file})
		var all *config.Error
		if (err == nil) != (c != nil) || err != nil && !errors.As(err, &all) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if all == nil {
			return
		}
		for _, p := range all.Problems {
			if p.Variable == "--env-file" && strings.Contains(p.Text, canary[:11]) {
				t.Errorf("the file's content is shown: %v", p)
			}
		}
	})
}
