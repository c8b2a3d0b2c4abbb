package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what these tests look at; actionlint reads the rest (make verify-workflows).
type workflow struct {
	On          map[string]any
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Container   any
		Timeout     int `yaml:"timeout-minutes"`
		Uses        string
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v: %v", files, err)
	}
	all := make(map[string]workflow)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = w
	}
	return all
}

// Workflows run nothing that another commit can change, have no more rights than they name,
// and no text from outside becomes a part of a script.
func TestWorkflowsAreSafe(t *testing.T) {
	t.Parallel()
	for name, w := range workflows(t) {
		if w.Permissions == nil {
			t.Errorf("%s: no permissions at the top, so each job has the repository's default", name)
		} else if p := *w.Permissions; len(p) > 1 || len(p) == 1 && p["contents"] != "read" {
			t.Errorf("%s: all jobs have %v", name, p)
		}
		for _, trigger := range []string{"pull_request_target", "workflow_run"} {
			if _, ok := w.On[trigger]; ok {
				t.Errorf("%s: %s runs with secrets what a stranger wrote", name, trigger)
			}
		}
		text := read(t, ".github/workflows/"+name)
		for _, m := range regexp.MustCompile(`(?m)uses: (\S+)(.*)$`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "./") && !regexp.MustCompile(`^[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`).MatchString(m[1]+m[2]) {
				t.Errorf("%s: uses %s: pin it by the hash of its commit, with its version in a comment", name, m[1]+m[2])
			}
		}
		if strings.Contains(text, "secrets.") {
			t.Errorf("%s: github.token does for all that is done here", name)
		}
		for job, j := range w.Jobs {
			if j.Uses == "" && j.Timeout == 0 {
				t.Errorf("%s: the job %s has no limit", name, job)
			}
			for _, s := range j.Steps {
				if strings.Contains(s.Run, "${{") {
					t.Errorf("%s: the job %s puts an expression into a script; pass it by env: %s", name, job, s.Run)
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: the job %s keeps the token in the checkout", name, job)
				}
			}
		}
	}
}

// The workflow for CI has the stages of .ci/run, in the image that the Dockerfile builds in.
func TestWorkflowRunsWhatCIRuns(t *testing.T) {
	t.Parallel()
	all, script := workflows(t), read(t, ".ci/run")
	image := regexp.MustCompile(`FROM \S+ (golang:(\S+?)-\S+) AS build`).FindStringSubmatch(read(t, "Dockerfile"))
	if image == nil {
		t.Fatal("the Dockerfile has no stage that builds")
	}
	var here, there []string
	for _, m := range regexp.MustCompile(`(?m)^\s*make ([a-z0-9-]+)$`).FindAllStringSubmatch(script, -1) {
		here = append(here, m[1])
	}
	for name, j := range all["ci.yml"].Jobs {
		for _, s := range j.Steps {
			if target, ok := strings.CutPrefix(s.Run, "make "); ok {
				there = append(there, target)
			}
		}
		if !strings.Contains(fmt.Sprint(j.Container), image[1]) {
			t.Errorf("the job %s runs in %v, and the Dockerfile builds in %s", name, j.Container, image[1])
		}
	}
	slices.Sort(here)
	slices.Sort(there)
	if len(here) < 4 || !slices.Equal(here, there) {
		t.Errorf(".ci/run makes %v, the workflow %v", here, there)
	}
	if !strings.Contains(read(t, ".github/workflows/release.yml"), "go-version: "+image[2]+"\n") {
		t.Errorf("the release is not built with Go %s", image[2])
	}
	release := all["release.yml"].Jobs
	if release["ci"].Uses != "./.github/workflows/ci.yml" {
		t.Error("a release does not run CI")
	}
	for job, rights := range map[string]map[string]string{
		"ci":       {"contents": "read"},
		"publish":  {"contents": "read", "id-token": "write", "packages": "write"},
		"announce": {"contents": "write"},
	} {
		if got := release[job].Permissions; fmt.Sprint(got) != fmt.Sprint(rights) {
			t.Errorf("release: the job %s may %v, want %v", job, got, rights)
		}
	}
}

// An issue form that GitHub cannot read is not shown, and says so to nobody.
func TestIssueForms(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, ".github/ISSUE_TEMPLATE/*.yml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		name, _ := filepath.Rel(root, file)
		if filepath.Base(file) == "config.yml" {
			continue
		}
		var form struct {
			Name, Description string
			Labels            []string
			Body              []struct {
				Type, ID   string
				Attributes struct {
					Label, Description, Value, Render string
					Options                           []struct{ Label string }
				}
				Validations struct{ Required bool }
			}
		}
		decoder := yaml.NewDecoder(strings.NewReader(read(t, name)))
		decoder.KnownFields(true)
		if err := decoder.Decode(&form); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ids := make(map[string]bool)
		for _, part := range form.Body {
			switch part.Type {
			case "markdown":
				if part.Attributes.Value == "" {
					t.Errorf("%s: an empty text", name)
				}
				continue
			case "checkboxes":
				if len(part.Attributes.Options) == 0 {
					t.Errorf("%s: %s has no options", name, part.ID)
				}
			case "textarea", "input":
			default:
				t.Errorf("%s: %s is of the type %q", name, part.ID, part.Type)
			}
			if part.ID == "" || ids[part.ID] || part.Attributes.Label == "" {
				t.Errorf("%s: the id %q is empty or comes twice, or it has no label", name, part.ID)
			}
			ids[part.ID] = true
		}
		if form.Name == "" || form.Description == "" || len(ids) < 3 {
			t.Errorf("%s: %d fields, and a name and a description: %q, %q", name, len(ids), form.Name, form.Description)
		}
	}
}

// Renovate's configuration names what is there.
func TestRenovate(t *testing.T) {
	t.Parallel()
	var c struct {
		Schema   string `json:"$schema"`
		Extends  []string
		Packages []struct {
			Description    string
			MatchFileNames []string
		} `json:"packageRules"`
		Managers []struct {
			ManagerFilePatterns, MatchStrings []string
		} `json:"customManagers"`
	}
	if err := json.Unmarshal([]byte(read(t, "renovate.json")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Extends) == 0 || len(c.Packages) == 0 || len(c.Managers) != 1 {
		t.Fatalf("%+v", c)
	}
	for _, rule := range c.Packages {
		for _, pattern := range rule.MatchFileNames {
			if _, err := os.Stat(filepath.Join(root, strings.TrimSuffix(pattern, "/**"))); err != nil || rule.Description == "" {
				t.Errorf("%s (%s): %v", pattern, rule.Description, err)
			}
		}
	}
	found := regexp.MustCompile(strings.ReplaceAll(c.Managers[0].MatchStrings[0], "(?<", "(?P<")).FindAllString(read(t, ".github/workflows/release.yml"), -1)
	if len(found) != 1 {
		t.Errorf("the pattern for Go's version finds %v in the release", found)
	}
}
