package chart_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	literal   = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")
	action    = regexp.MustCompile(`(?s){{.*?}}`)
	forbidden = regexp.MustCompile(`\b(lookup|rand[A-Z]\w*|gen[A-Z]\w*|uuidv4|now|htpasswd|derivePassword|getHostByName)\b`)
)

// drifting are the functions in a template whose answer depends on the cluster or on chance.
func drifting(template string) []string {
	var found []string
	for _, code := range action.FindAllString(comment.ReplaceAllString(template, ""), -1) {
		found = append(found, forbidden.FindAllString(literal.ReplaceAllString(code, `""`), -1)...)
	}
	return found
}

// What depends on the cluster or on chance drifts for ever under Argo CD.
func TestTemplatesDependOnValuesAlone(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, name := range append(ours[:2:2], "example-api") {
		err := filepath.WalkDir(filepath.Join(root(t), "charts", name, "templates"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			seen++
			text, err := os.ReadFile(path)
			for _, function := range drifting(string(text)) {
				t.Errorf("%s calls %s", path, function)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 20 {
		t.Errorf("%d templates", seen)
	}
}

func TestDrifting(t *testing.T) {
	t.Parallel()
	const template = `lookup {{ "now" }} {{/* lookup }} now */}} {{ now }}
{{ lookup "v1" "Secret" .Release.Namespace "x" }} {{- printf "\"%s" (randAlphaNum 8) -}} {{ .Values.nowhere }}`
	if diff := cmp.Diff([]string{"now", "lookup", "randAlphaNum"}, drifting(template)); diff != "" {
		t.Error(diff)
	}
}
